import { idTagInfo, readTokenStatuses } from "../authorization/token-status.ts";
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

/** A StopTransaction.req as it came. */
export interface ReceivedStop {
  station: KnownStation;
  stop: StopMessage;
  /** JSON text as received. */
  payload: string;
  receivedAt: Date;
  /** The answer that the station got already, when it got one. */
  given?: object;
}

/** stopTransactions with one of them. */
export async function stopTransaction(
  sql: Sql,
  station: KnownStation,
  stop: StopMessage,
  message: Omit<ReceivedStop, "station" | "stop">,
): Promise<StopOutcome> {
  const [outcome] = await stopTransactions(sql, [{ station, stop, ...message }]);
  return outcome as StopOutcome;
}

/**
 * Ends transactions of OCPP 1.6, each of another station. The first stop wins. Found by station and id, never by the id
 * alone: no station may stop another's session (CVE-2026-28230 of SteVe).
 */
export async function stopTransactions(sql: Sql, received: readonly ReceivedStop[]): Promise<StopOutcome[]> {
  const payloads = received.map(({ payload }) => storableJson(payload));
  const rows = await lockTransactions(sql, received, payloads);
  const isSame = (place: number) => rows[place]?.state === "ended" && rows[place].same === true;
  const answers = await answersTo(sql, received, (place) => !isSame(place));
  const outcomes = received.map((_, place): StopOutcome => {
    const row = rows[place];
    if (row !== undefined && isSame(place)) return { kind: "same", answer: row.stop_answer ?? {} };
    const answer = answers[place] ?? {};
    if (row === undefined) return { kind: "unknown", answer };
    return { kind: row.state === "ended" ? "differs" : "stopped", answer };
  });
  const stopped = received
    .map((one, place) => ({ ...one, payload: payloads[place], row: rows[place], outcome: outcomes[place] }))
    .filter(({ outcome }) => outcome?.kind === "stopped");
  if (stopped.length === 0) return outcomes;
  // A station that names the id was told it, so its start counts as told too.
  await sql.query(
    `update transactions t set state = 'ended', stopped_at = s.stopped_at, stop_received_at = s.received_at, meter_stop_wh = s.meter_wh,
       stop_reason = s.reason, stop_id_token = s.id_token, stop_payload = s.payload, stop_answer = s.answer,
       flags = t.flags || string_to_array(s.flags, ' '), start_confirmed_at = coalesce(start_confirmed_at, now())
     from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::numeric[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[], $9::text[])
       as s (id, stopped_at, received_at, meter_wh, reason, id_token, payload, answer, flags)
     where t.id = s.id`,
    [
      stopped.map(({ row }) => row?.id),
      stopped.map(({ stop, receivedAt }) => (stop.stoppedAt ?? receivedAt).toISOString()),
      stopped.map(({ receivedAt }) => receivedAt.toISOString()),
      stopped.map(({ stop }) => wattHours(stop.meterStop)),
      // The spec's default for a stop without reason (C16 §6.49).
      stopped.map(({ stop }) => stop.reason ?? "Local"),
      stopped.map(({ stop }) => stop.idTag),
      stopped.map(({ payload }) => payload),
      stopped.map(({ outcome }) => JSON.stringify(outcome?.answer)),
      stopped.map(({ stop }) => flagsOf(stop).join(" ")),
    ],
  );
  await tellSessions(
    sql,
    stopped.map(({ station, stop }) => ({ stationId: station.id, transactionId: String(stop.transactionId) })),
  );
  return outcomes;
}

interface StoppableRow {
  place: string;
  id: string;
  state: string;
  /** Stopped by this very message. */
  same: boolean | null;
  stop_answer: object | null;
}

/** The transactions that these stops name, in the stops' order, locked until the transaction ends. */
async function lockTransactions(
  sql: Sql,
  received: readonly ReceivedStop[],
  payloads: readonly string[],
): Promise<(StoppableRow | undefined)[]> {
  const found: (StoppableRow | undefined)[] = received.map(() => undefined);
  const rows = await sql.query<StoppableRow>(
    `select a.place, t.id::text as id, t.state, t.stop_payload = a.payload as same, t.stop_answer
     from unnest($1::bigint[], $2::text[], $3::jsonb[]) with ordinality as a (station_id, transaction_id, payload, place)
     join transactions t on t.station_id = a.station_id and t.transaction_id = a.transaction_id and t.ocpp_version = '1.6'
     order by t.id for update of t`,
    [received.map(({ station }) => station.id), received.map(({ stop }) => String(stop.transactionId)), payloads],
  );
  for (const row of rows) found[Number(row.place) - 1] = row;
  return found;
}

/** What the stations are told of the tokens that stop, in the stops' order. */
async function answersTo(
  sql: Sql,
  received: readonly ReceivedStop[],
  isWanted: (place: number) => boolean,
): Promise<(object | undefined)[]> {
  const answers = received.map(({ given }) => given);
  const asked = received.flatMap(({ station, stop, given }, place) =>
    given === undefined && stop.idTag !== null && isWanted(place)
      ? [{ place, orgId: station.orgId, token: stop.idTag }]
      : [],
  );
  const statuses = await readTokenStatuses(sql, asked);
  for (const [index, status] of statuses.entries())
    answers[(asked[index] as { place: number }).place] = { idTagInfo: idTagInfo(status) };
  return answers;
}

const flagsOf = (stop: StopMessage) => [
  ...(stop.stoppedAt === null ? ["stop_time_unreadable"] : []),
  ...(wattHours(stop.meterStop) === null ? ["meter_stop_unreadable"] : []),
];

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
