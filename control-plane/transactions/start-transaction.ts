import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { judgeStarts, limitedToken } from "../authorization/judge-start.ts";
import { idTagInfo, readTokenStatuses, type TokenStatus } from "../authorization/token-status.ts";
import type { Sql } from "../database.ts";
import { idFor } from "../ids.ts";
import { tellSessions } from "../sessions/tell-sessions.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { giveUpOlder } from "./give-up-transactions.ts";
import { drawTransactionIds } from "./draw-transaction-id.ts";
import { readTime, wattHours } from "./meter-reading.ts";
import { inRounds } from "./in-rounds.ts";
import type { StartMessage } from "./transaction-messages.ts";

/** StartTransaction.conf (C16 §6.46) as it was or is to be given. */
export interface StartAnswer {
  transactionId: number;
  idTagInfo: object;
}

/** A StartTransaction.req as it came. */
export interface ReceivedStart {
  station: KnownStation;
  start: StartMessage;
  receivedAt: Date;
}

/** startTransactions with one of them. */
export async function startTransaction(
  sql: Sql,
  station: KnownStation,
  start: StartMessage,
  receivedAt: Date,
  redis: RedisConnection,
): Promise<StartAnswer> {
  const [answer] = await startTransactions(sql, [{ station, start, receivedAt }], redis);
  return answer as StartAnswer;
}

/**
 * Starts transactions of OCPP 1.6, each of another station, and gives their answers in the same order. The same start again
 * (the station had no answer, and asks with a new message id or from another node) finds the row by its business key and
 * gets the same id and status: a resend answered differently makes stations stop the session. An unknown or blocked token
 * gets an id too, with its status, and so does one that has a session already (ConcurrentTx): energy may flow all the same.
 * Call it in a transaction.
 */
export async function startTransactions(
  sql: Sql,
  received: readonly ReceivedStart[],
  redis: RedisConnection,
): Promise<StartAnswer[]> {
  const answers = await findStarts(sql, received);
  const fresh = received.map((one, place) => ({ ...one, place })).filter(({ place }) => answers[place] === undefined);
  const statuses = await readTokenStatuses(sql, fresh.map(tokenOf));
  const asked = fresh.map((one, index) => ({ ...one, status: statuses[index] as TokenStatus }));
  // With a limited token the second start counts the first, so that has to be on record.
  for (const round of inRounds(asked, (one) => limitedToken(tokenOf(one), one.status))) {
    const given = await insertStarts(sql, round, redis);
    round.forEach(({ place }, index) => (answers[place] = given[index]));
  }
  return answers.map((answer) => {
    // Nobody deletes transactions, so whoever was first is there now.
    if (answer === undefined) throw new Error("a start was neither inserted nor found");
    return answer;
  });
}

const tokenOf = ({ station, start }: ReceivedStart) => ({ orgId: station.orgId, token: start.idTag });

/** Starts that were not on record a moment ago. @returns undefined for one that is neither inserted nor found. */
async function insertStarts(
  sql: Sql,
  starts: readonly (ReceivedStart & { status: TokenStatus })[],
  redis: RedisConnection,
): Promise<(StartAnswer | undefined)[]> {
  const judged = await judgeStarts(
    sql,
    starts.map(tokenOf),
    starts.map(({ status }) => status),
  );
  const ids = await drawTransactionIds(sql, starts.length, redis);
  const given = starts.map((one, index) => ({
    ...one,
    answer: { transactionId: ids[index] as number, idTagInfo: idTagInfo(judged[index] as TokenStatus) },
  }));
  const inserted = await insert(
    sql,
    given,
    "on conflict (station_id, connector_id, id_token, start_timestamp_raw, meter_start_raw) where ocpp_version = '1.6' do nothing",
  );
  const ours = given.filter(({ answer }) => inserted.has(answer.transactionId));
  await giveUpOlder(
    sql,
    ours.map(({ station, answer }) => keyFor(station, answer)),
  );
  // Inserted by somebody else meanwhile, with another id.
  const others = given.filter(({ answer }) => !inserted.has(answer.transactionId));
  const found = await findStarts(sql, others);
  return given.map((one) => inserted.get(one.answer.transactionId) ?? found[others.indexOf(one)]);
}

/**
 * Notes that the station was told this answer: the start is in a lane with it. Puts the transaction back, should Postgres
 * have lost it; normally it is there. From then on it is a session that is told (session.started).
 * @returns "conflict" when the start is on record with another id than the station was told.
 */
export async function restoreStart(
  sql: Sql,
  station: KnownStation,
  start: StartMessage,
  answer: StartAnswer,
  receivedAt: Date,
): Promise<"known" | "restored" | "conflict"> {
  const known = await confirmStart(sql, station, start, answer);
  if (known !== undefined) {
    if (known.transactionId !== answer.transactionId) return "conflict";
    await tellSessions(sql, [keyFor(station, answer)]);
    return "known";
  }
  // First of all the sequence, so that no other station is given this id again.
  await sql.query("select pass_ocpp16_transaction_id($1)", [answer.transactionId]);
  const inserted = await insert(sql, [{ station, start, receivedAt, answer }], "on conflict do nothing", true);
  if (inserted.size === 0) return "conflict";
  await giveUpOlder(sql, [keyFor(station, answer)]);
  await tellSessions(sql, [keyFor(station, answer)]);
  return "restored";
}

const keyFor = (station: KnownStation, { transactionId }: StartAnswer) => ({
  stationId: station.id,
  transactionId: String(transactionId),
});

/** @param told the stations know of them. @returns the answers of those that were inserted, as they are kept, by transaction id. */
async function insert(
  sql: Sql,
  starts: readonly (ReceivedStart & { answer: StartAnswer })[],
  onConflict: string,
  told = false,
): Promise<Map<number, StartAnswer>> {
  const rows = await sql.query<{ start_answer: StartAnswer }>(
    `insert into transactions (session_id, org_id, station_id, ocpp_version, connector_id, id_token, state, started_at, start_received_at,
       start_timestamp_raw, meter_start_raw, meter_start_wh, id_token_status, flags, transaction_id, start_answer, start_confirmed_at)
     select session_id, org_id, station_id, '1.6', connector_id, id_token, 'active', started_at, received_at, started_raw, meter_raw, meter_wh,
       answer->'idTagInfo'->>'status', string_to_array(flags, ' '), answer->>'transactionId', answer, case when $12 then now() end
     from unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[],
                 $10::numeric[], $11::jsonb[], $13::text[])
       as s (session_id, org_id, station_id, connector_id, id_token, started_at, received_at, started_raw, meter_raw, meter_wh, answer, flags)
     order by station_id ${onConflict} returning start_answer`,
    [
      starts.map(({ station, answer }) => idFor("sess", station.chargePointId, String(answer.transactionId))),
      starts.map(({ station }) => station.orgId),
      starts.map(({ station }) => station.id),
      starts.map(({ start }) => start.connectorId),
      starts.map(({ start }) => start.idTag),
      starts.map(({ start, receivedAt }) => (readTime(start.timestamp) ?? receivedAt).toISOString()),
      starts.map(({ receivedAt }) => receivedAt.toISOString()),
      starts.map(({ start }) => start.timestamp),
      starts.map(({ start }) => start.meterStart),
      starts.map(({ start }) => wattHours(start.meterStart)),
      starts.map(({ answer }) => JSON.stringify(answer)),
      told,
      starts.map(({ start }) => flagsOf(start).join(" ")),
    ],
  );
  return new Map(rows.map((row) => [row.start_answer.transactionId, row.start_answer]));
}

const flagsOf = (start: StartMessage) => [
  ...(readTime(start.timestamp) === null ? ["start_time_unreadable"] : []),
  ...(wattHours(start.meterStart) === null ? ["meter_start_unreadable"] : []),
];

/** The answers that these starts were given, in their order; undefined for one that is not on record. */
async function findStarts(sql: Sql, starts: readonly ReceivedStart[]): Promise<(StartAnswer | undefined)[]> {
  const answers: (StartAnswer | undefined)[] = starts.map(() => undefined);
  if (starts.length === 0) return answers;
  const rows = await sql.query<{ place: string; start_answer: StartAnswer }>(
    `select a.place, t.start_answer
     from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[])
       with ordinality as a (station_id, connector_id, id_token, started_raw, meter_raw, place)
     join transactions t on t.station_id = a.station_id and t.connector_id = a.connector_id and t.id_token = a.id_token
       and t.start_timestamp_raw = a.started_raw and t.meter_start_raw = a.meter_raw and t.ocpp_version = '1.6'`,
    [
      starts.map(({ station }) => station.id),
      starts.map(({ start }) => start.connectorId),
      starts.map(({ start }) => start.idTag),
      starts.map(({ start }) => start.timestamp),
      starts.map(({ start }) => start.meterStart),
    ],
  );
  for (const row of rows) answers[Number(row.place) - 1] = row.start_answer;
  return answers;
}

/** The answer that this start was given; it is noted as told if it is the same one. */
async function confirmStart(
  sql: Sql,
  station: KnownStation,
  start: StartMessage,
  answer: StartAnswer,
): Promise<StartAnswer | undefined> {
  const [row] = await sql.query<{ start_answer: StartAnswer }>(
    `update transactions
     set start_confirmed_at = case when transaction_id = $6 then coalesce(start_confirmed_at, now()) else start_confirmed_at end
     where station_id = $1 and connector_id = $2 and id_token = $3 and start_timestamp_raw = $4 and meter_start_raw = $5 and ocpp_version = '1.6'
     returning start_answer`,
    [station.id, start.connectorId, start.idTag, start.timestamp, start.meterStart, String(answer.transactionId)],
  );
  return row?.start_answer;
}
