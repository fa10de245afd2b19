import { idTagInfo, readTokenStatus } from "../authorization/token-status.ts";
import type { Sql } from "../database.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { tellSessions } from "../sessions/tell-sessions.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { parseExactJson } from "./exact-json.ts";
import { wattHours } from "./meter-reading.ts";
import { readStop, type StopMessage } from "./transaction-messages.ts";

export interface StopOutcome {
  /** same: it was stopped by this very message. differs: by another one, which stands. unknown: not a transaction of this station. */
  kind: "stopped" | "same" | "differs" | "unknown";
  /** StopTransaction.conf: always a success, or the station would send it for ever. */
  answer: object;
}

/**
 * Ends a transaction of OCPP 1.6. The first stop wins. Found by station and id, never by the id alone: no station may
 * stop another's session (CVE-2026-28230 of SteVe).
 * @param payload JSON text as received. @param given the answer that the station got already, when it got one.
 */
export async function stopTransaction(
  sql: Sql,
  station: KnownStation,
  stop: StopMessage,
  message: { payload: string; receivedAt: Date; given?: object },
): Promise<StopOutcome> {
  const payload = storableJson(message.payload);
  const [row] = await sql.query<{ id: string; state: string; same: boolean | null; stop_answer: object | null }>(
    `select id::text as id, state, stop_payload = $3::jsonb as same, stop_answer from transactions
     where station_id = $1 and transaction_id = $2 and ocpp_version = '1.6' for update`,
    [station.id, String(stop.transactionId), payload],
  );
  if (row?.state === "ended" && row.same === true) return { kind: "same", answer: row.stop_answer ?? {} };
  const answer =
    message.given ??
    (stop.idTag === null ? {} : { idTagInfo: idTagInfo(await readTokenStatus(sql, station.orgId, stop.idTag)) });
  if (row === undefined) return { kind: "unknown", answer };
  if (row.state === "ended") return { kind: "differs", answer };
  // A station that names the id was told it, so its start counts as told too.
  await sql.query(
    `update transactions set state = 'ended', stopped_at = $2, stop_received_at = $3, meter_stop_wh = $4::numeric, stop_reason = $5,
            stop_id_token = $6, stop_payload = $7::jsonb, stop_answer = $8::jsonb, flags = flags || $9::text[],
            start_confirmed_at = coalesce(start_confirmed_at, now())
     where id = $1`,
    [
      row.id,
      (stop.stoppedAt ?? message.receivedAt).toISOString(),
      message.receivedAt.toISOString(),
      wattHours(stop.meterStop),
      // The spec's default for a stop without reason (C16 §6.49).
      stop.reason ?? "Local",
      stop.idTag,
      payload,
      JSON.stringify(answer),
      [
        ...(stop.stoppedAt === null ? ["stop_time_unreadable"] : []),
        ...(wattHours(stop.meterStop) === null ? ["meter_stop_unreadable"] : []),
      ],
    ],
  );
  await tellSessions(sql, [{ stationId: station.id, transactionId: String(stop.transactionId) }]);
  return { kind: "stopped", answer };
}

/**
 * Applies a stop that came before the start was back on record: after a Postgres that lost its last commits, start and
 * stop may be in two lanes, read in any order. Call it when the start was restored.
 */
export async function applyEarlyStop(sql: Sql, station: KnownStation, transactionId: number): Promise<void> {
  const rows = await sql.query<{ epoch: string; seq: number; received_at: Date; raw: string }>(
    `select epoch::text as epoch, seq, received_at, raw from quarantine
     where station_id = $1 and action = 'StopTransaction' and reason = 'unknown transaction' order by epoch, seq`,
    [station.id],
  );
  for (const row of rows) {
    const stop = readStop(parseExactJson(row.raw));
    if (stop?.transactionId !== transactionId) continue;
    const { kind } = await stopTransaction(sql, station, stop, { payload: row.raw, receivedAt: row.received_at });
    // Another stop of the same transaction stays where it is.
    if (kind !== "stopped") return;
    await sql.query(`delete from quarantine where station_id = $1 and epoch = $2 and seq = $3 and received_at = $4`, [
      station.id,
      row.epoch,
      row.seq,
      row.received_at,
    ]);
  }
}
