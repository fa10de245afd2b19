import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { storableText } from "../message-log/storable-text.ts";

/** A DataTransfer with its answer, either way. */
export interface DataTransfer extends FactOrigin {
  direction: "from_charge_point" | "to_charge_point";
  request: RequestPayload<"1.6" | "2.0.1" | "2.1", "DataTransfer">;
  answer: ResponsePayload<"1.6" | "2.0.1" | "2.1", "DataTransfer">;
}

/** Files DataTransfers by their place among the station's frames: one that is there already stays as it is. */
export async function recordDataTransfers(sql: Sql, transfers: readonly DataTransfer[]): Promise<void> {
  if (transfers.length === 0) return;
  const rows = [...transfers].sort(
    (a, b) => Number(BigInt(a.stationId) - BigInt(b.stationId)) || a.epoch - b.epoch || a.seq - b.seq,
  );
  await sql.query(
    `insert into data_transfers (station_id, epoch, seq, received_at, direction, vendor_id, message_id, data, status, response_data)
     select * from unnest($1::bigint[], $2::bigint[], $3::int[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::json[], $9::text[], $10::json[])
     on conflict do nothing`,
    [
      rows.map((row) => row.stationId),
      rows.map((row) => row.epoch),
      rows.map((row) => row.seq),
      rows.map((row) => row.receivedAt.toISOString()),
      rows.map((row) => row.direction),
      rows.map((row) => storableText(row.request.vendorId)),
      rows.map((row) => (row.request.messageId === undefined ? null : storableText(row.request.messageId))),
      rows.map((row) => jsonText(row.request.data)),
      rows.map((row) => row.answer.status),
      rows.map((row) => jsonText(row.answer.data)),
    ],
  );
}

const jsonText = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

const sent: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  await recordDataTransfers(sql, [
    {
      ...originOf(command),
      direction: "to_charge_point",
      request: command.payload as DataTransfer["request"],
      answer: command.response as DataTransfer["answer"],
    },
  ]);
};

/** What a DataTransfer of ours comes to. */
export const DATA_TRANSFER_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [["DataTransfer", sent]];
