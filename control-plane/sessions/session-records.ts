import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { exactNumber } from "./session-view.ts";

const signedMeterValue = z.object({
  sampled_at: isoTime().nullable(),
  received_at: isoTime(),
  context: z.string().nullable().describe("Transaction.Begin, Transaction.End, …"),
  measurand: z.string().nullable(),
  signed_data: z.string().describe("as the meter signed it, unchanged"),
  signing_method: z.string().nullable(),
  encoding_method: z.string().nullable().describe("such as OCMF"),
  public_key: z.string().nullable(),
});

const settlement = z.object({
  psp_ref: z.string().describe("the payment service provider's reference"),
  status: z.string().describe("Settled, Canceled, Rejected or Failed"),
  status_info: z.string().nullable(),
  amount: z.number().describe("in the currency of the charge point's tariff"),
  settled_at: isoTime().nullable(),
  receipt_id: z.string().nullable(),
  receipt_url: z.string().nullable().describe("as the charge point named it: not checked by us"),
  received_at: isoTime(),
});

/** What is kept with a session as it came, in the session's detail. */
export const sessionRecords = {
  signed_meter_values: z.array(signedMeterValue),
  settlements: z.array(settlement).describe("OCPP 2.1: what a payment terminal did with the session's payments"),
};

export const SESSION_RECORDS_EXAMPLE = {
  signed_meter_values: [
    {
      sampled_at: "2026-05-01T11:15:42.000Z",
      received_at: "2026-05-01T11:15:42.377Z",
      context: "Transaction.End",
      measurand: "Energy.Active.Import.Register",
      signed_data: 'OCMF|{"FV":"1.0","PG":"T12"}|{"SD":"304402200A"}',
      signing_method: null,
      encoding_method: "OCMF",
      public_key: null,
    },
  ],
  settlements: [],
};

interface SignedRow {
  sampled_at: Date | null;
  received_at: Date;
  context: string | null;
  measurand: string | null;
  signed_data: string;
  signing_method: string | null;
  encoding_method: string | null;
  public_key: string | null;
}

interface SettlementRow {
  psp_ref: string;
  status: string;
  status_info: string | null;
  amount: string;
  settled_at: Date | null;
  receipt_id: string | null;
  receipt_url: string | null;
  received_at: Date;
}

/** More is a mistake of somebody: no meter signs so often, no session is paid so often. */
const MAX_ROWS = 1_000;

/** The records of a station's transaction. */
export async function readSessionRecords(sql: Sql, of: { station_id: string; transaction_id: string }) {
  const key = [of.station_id, of.transaction_id];
  const signed = await sql.query<SignedRow>(
    `select sampled_at, received_at, context, measurand, signed_data, signing_method, encoding_method, public_key
     from signed_meter_values where station_id = $1 and transaction_id = $2
     order by sampled_at, received_at, digest limit ${MAX_ROWS}`,
    key,
  );
  const settlements = await sql.query<SettlementRow>(
    `select psp_ref, status, status_info, amount::text as amount, settled_at, receipt_id, receipt_url, received_at
     from settlements where station_id = $1 and transaction_id = $2 order by received_at, psp_ref limit ${MAX_ROWS}`,
    key,
  );
  return {
    signed_meter_values: signed.map((row) => ({
      ...row,
      sampled_at: row.sampled_at && isoMillis(row.sampled_at),
      received_at: isoMillis(row.received_at),
    })),
    settlements: settlements.map((row) => ({
      ...row,
      amount: exactNumber(row.amount),
      settled_at: row.settled_at && isoMillis(row.settled_at),
      received_at: isoMillis(row.received_at),
    })),
  };
}
