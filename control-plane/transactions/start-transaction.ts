import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { judgeStart } from "../authorization/judge-start.ts";
import { idTagInfo } from "../authorization/token-status.ts";
import type { Sql } from "../database.ts";
import { idFor } from "../ids.ts";
import { tellSessions } from "../sessions/tell-sessions.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { giveUpOlder } from "./give-up-transactions.ts";
import { drawTransactionId } from "./draw-transaction-id.ts";
import { readTime, wattHours } from "./meter-reading.ts";
import type { StartMessage } from "./transaction-messages.ts";

/** StartTransaction.conf (C16 §6.46) as it was or is to be given. */
export interface StartAnswer {
  transactionId: number;
  idTagInfo: object;
}

/**
 * Starts a transaction of OCPP 1.6 and gives its answer. The same start again (the station had no answer, and asks with
 * a new message id or from another node) finds the row by its business key and gets the same id and status: a resend
 * answered differently makes stations stop the session. An unknown or blocked token gets an id too, with its status, and so
 * does one that has a session already (ConcurrentTx): energy may flow all the same. Call it in a transaction.
 */
export async function startTransaction(
  sql: Sql,
  station: KnownStation,
  start: StartMessage,
  receivedAt: Date,
  redis: RedisConnection,
): Promise<StartAnswer> {
  const known = await findStart(sql, station, start);
  if (known !== undefined) return known;
  const token = await judgeStart(sql, station.orgId, start.idTag);
  const given = { transactionId: await drawTransactionId(sql, redis), idTagInfo: idTagInfo(token) };
  const [row] = await sql.query<{ start_answer: StartAnswer }>(
    `insert into transactions (${COLUMNS}) values (${VALUES})
     on conflict (station_id, connector_id, id_token, start_timestamp_raw, meter_start_raw) where ocpp_version = '1.6' do nothing
     returning start_answer`,
    valuesOf(station, start, receivedAt, given),
  );
  if (row !== undefined) await giveUpOlder(sql, [keyFor(station, row.start_answer)]);
  const answer = row?.start_answer ?? (await findStart(sql, station, start));
  // Nobody deletes transactions, so whoever was first is there now.
  if (answer === undefined) throw new Error("a start was neither inserted nor found");
  return answer;
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
  const rows = await sql.query(
    `insert into transactions (${COLUMNS}, start_confirmed_at) values (${VALUES}, now()) on conflict do nothing returning id`,
    valuesOf(station, start, receivedAt, answer),
  );
  if (rows.length === 0) return "conflict";
  await giveUpOlder(sql, [keyFor(station, answer)]);
  await tellSessions(sql, [keyFor(station, answer)]);
  return "restored";
}

const keyFor = (station: KnownStation, { transactionId }: StartAnswer) => ({
  stationId: station.id,
  transactionId: String(transactionId),
});

const COLUMNS = `session_id, org_id, station_id, ocpp_version, connector_id, id_token, state, started_at, start_received_at,
       start_timestamp_raw, meter_start_raw, meter_start_wh, id_token_status, flags, transaction_id, start_answer`;
const VALUES = `$1, $2, $3::bigint, '1.6', $4::int, $5, 'active', $6::timestamptz, $7::timestamptz, $8, $9, $10::numeric,
       $11::jsonb->'idTagInfo'->>'status', $12::text[], $11::jsonb->>'transactionId', $11::jsonb`;

function valuesOf(station: KnownStation, start: StartMessage, receivedAt: Date, answer: StartAnswer): unknown[] {
  const startedAt = readTime(start.timestamp);
  return [
    idFor("sess", station.chargePointId, String(answer.transactionId)),
    station.orgId,
    station.id,
    start.connectorId,
    start.idTag,
    (startedAt ?? receivedAt).toISOString(),
    receivedAt.toISOString(),
    start.timestamp,
    start.meterStart,
    wattHours(start.meterStart),
    JSON.stringify(answer),
    [
      ...(startedAt === null ? ["start_time_unreadable"] : []),
      ...(wattHours(start.meterStart) === null ? ["meter_start_unreadable"] : []),
    ],
  ];
}

const SAME_START = `station_id = $1 and connector_id = $2 and id_token = $3 and start_timestamp_raw = $4 and meter_start_raw = $5 and ocpp_version = '1.6'`;
const keyOf = (station: KnownStation, start: StartMessage): unknown[] => [
  station.id,
  start.connectorId,
  start.idTag,
  start.timestamp,
  start.meterStart,
];

async function findStart(sql: Sql, station: KnownStation, start: StartMessage): Promise<StartAnswer | undefined> {
  const [row] = await sql.query<{ start_answer: StartAnswer }>(
    `select start_answer from transactions where ${SAME_START}`,
    keyOf(station, start),
  );
  return row?.start_answer;
}

/** As findStart, and notes that it was told if it is the same answer. */
async function confirmStart(
  sql: Sql,
  station: KnownStation,
  start: StartMessage,
  answer: StartAnswer,
): Promise<StartAnswer | undefined> {
  const [row] = await sql.query<{ start_answer: StartAnswer }>(
    `update transactions
     set start_confirmed_at = case when transaction_id = $6 then coalesce(start_confirmed_at, now()) else start_confirmed_at end
     where ${SAME_START} returning start_answer`,
    [...keyOf(station, start), String(answer.transactionId)],
  );
  return row?.start_answer;
}
