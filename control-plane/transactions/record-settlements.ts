import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { decimalOf } from "./decimal-text.ts";
import { readTime } from "./meter-reading.ts";
import { textOf } from "./read-fields.ts";

/** What a NotifySettlementRequest (2.1 P2) says. */
interface SettlementMessage {
  pspRef: string;
  transactionId: string | null;
  status: string;
  statusInfo: string | null;
  /** A decimal, in the currency of the station's tariff. */
  amount: string;
  settledAt: Date | null;
  receiptId: string | null;
  receiptUrl: string | null;
}

export interface Settlement extends SettlementMessage, FactOrder {
  stationId: string;
  receivedAt: Date;
  /** JSON text that Postgres takes. */
  payload: string;
}

/** Reads a payload of parseExactJson; undefined when the least that is needed is missing. */
export function readSettlement(payload: Record<string, unknown>): SettlementMessage | undefined {
  const text = (name: string) => (typeof payload[name] === "string" ? storableText(payload[name]) : null);
  const pspRef = text("pspRef");
  const status = text("status");
  const amount = decimalOf(textOf(payload["settlementAmount"]) ?? "");
  if (pspRef === null || status === null || amount === undefined) return undefined;
  return {
    // Both stand in indexes; a quirk profile may let through more than the 255 and 36 characters of the specification.
    pspRef: pspRef.slice(0, 255),
    transactionId: text("transactionId")?.slice(0, 255) ?? null,
    status,
    statusInfo: text("statusInfo"),
    amount,
    settledAt: readTime(payload["settlementTime"]),
    receiptId: text("receiptId"),
    receiptUrl: text("receiptUrl"),
  };
}

/** Keeps the newest word on each payment; what is older than what is stored changes nothing. */
export async function recordSettlements(sql: Sql, settlements: readonly Settlement[]): Promise<void> {
  if (settlements.length === 0) return;
  // A row may be touched once per statement: the last word of the batch.
  const newest = new Map(settlements.toSorted(byFactOrder).map((one) => [`${one.stationId}/${one.pspRef}`, one]));
  const rows = [...newest.values()];
  await sql.query(
    `insert into settlements (station_id, psp_ref, transaction_id, status, status_info, amount, settled_at, receipt_id, receipt_url, payload, received_at, epoch, seq)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::timestamptz[], $8::text[], $9::text[], $10::jsonb[], $11::timestamptz[], $12::bigint[], $13::int[])
       as n (station_id, psp_ref)
     order by station_id, psp_ref
     on conflict (station_id, psp_ref) do update set transaction_id = coalesce(excluded.transaction_id, settlements.transaction_id),
       status = excluded.status, status_info = excluded.status_info, amount = excluded.amount, settled_at = excluded.settled_at,
       receipt_id = excluded.receipt_id, receipt_url = excluded.receipt_url, payload = excluded.payload,
       received_at = excluded.received_at, epoch = excluded.epoch, seq = excluded.seq
     where (settlements.epoch, settlements.seq) < (excluded.epoch, excluded.seq)`,
    [
      rows.map((r) => r.stationId),
      rows.map((r) => r.pspRef),
      rows.map((r) => r.transactionId),
      rows.map((r) => r.status),
      rows.map((r) => r.statusInfo),
      rows.map((r) => r.amount),
      rows.map((r) => r.settledAt?.toISOString() ?? null),
      rows.map((r) => r.receiptId),
      rows.map((r) => r.receiptUrl),
      rows.map((r) => r.payload),
      rows.map((r) => r.receivedAt.toISOString()),
      rows.map((r) => r.epoch),
      rows.map((r) => r.seq),
    ],
  );
}
