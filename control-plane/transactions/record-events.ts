import type { Sql } from "../database.ts";
import { tellSessions } from "../sessions/tell-sessions.ts";
import { changesOf, type ReceivedEvent, type TransactionChange } from "./event-changes.ts";
import { giveUpOlder } from "./give-up-transactions.ts";

/**
 * Files events of OCPP 2.x by (station, transactionId, seqNo) and brings their transactions forward: events may come in
 * any order and more than once, a transaction that ended stays ended. Its session is told once it began and once it ended.
 * @returns those whose seqNo another event holds already; an event that is there already is neither filed nor returned.
 */
export async function recordTransactionEvents<Received extends ReceivedEvent>(
  sql: Sql,
  received: readonly Received[],
): Promise<Received[]> {
  if (received.length === 0) return [];
  const sorted = [...received].sort(byKey);
  await insertEvents(sql, sorted);
  const differing = await findDiffering(sql, sorted);
  const filed = sorted.filter((one) => !differing.has(one));
  const changes = changesOf(filed);
  await upsertTransactions(sql, changes);
  await followUp(sql, changes);
  return [...differing];
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byKey = (a: ReceivedEvent, b: ReceivedEvent) =>
  Number(BigInt(a.station.id) - BigInt(b.station.id)) ||
  compare(a.event.transactionId, b.event.transactionId) ||
  a.event.seqNo - b.event.seqNo;

async function insertEvents(sql: Sql, received: readonly ReceivedEvent[]): Promise<void> {
  await sql.query(
    `insert into transaction_events (station_id, transaction_id, seq_no, event_type, trigger_reason, offline, occurred_at, received_at, payload, answer)
     select * from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::text[], $6::boolean[], $7::timestamptz[], $8::timestamptz[], $9::jsonb[], $10::jsonb[])
     on conflict do nothing`,
    [
      received.map((r) => r.station.id),
      received.map((r) => r.event.transactionId),
      received.map((r) => r.event.seqNo),
      received.map((r) => r.event.eventType),
      received.map((r) => r.event.triggerReason),
      received.map((r) => r.event.offline),
      received.map((r) => r.event.occurredAt?.toISOString() ?? null),
      received.map((r) => r.receivedAt.toISOString()),
      received.map((r) => r.payload),
      received.map((r) => (r.answer === undefined ? null : JSON.stringify(r.answer))),
    ],
  );
}

async function findDiffering<Received extends ReceivedEvent>(
  sql: Sql,
  received: readonly Received[],
): Promise<Set<Received>> {
  const rows = await sql.query<{ place: string }>(
    `select n.place from unnest($1::bigint[], $2::text[], $3::int[], $4::jsonb[]) with ordinality as n (station_id, transaction_id, seq_no, payload, place)
     join transaction_events e using (station_id, transaction_id, seq_no) where e.payload <> n.payload`,
    [
      received.map((r) => r.station.id),
      received.map((r) => r.event.transactionId),
      received.map((r) => r.event.seqNo),
      received.map((r) => r.payload),
    ],
  );
  return new Set(rows.map((row) => received[Number(row.place) - 1] as Received));
}

// With every event the station has spoken of the transaction: what was asked about it is open again.
async function upsertTransactions(sql: Sql, changes: readonly TransactionChange[]): Promise<void> {
  if (changes.length === 0) return;
  await sql.query(
    `insert into transactions (${COLUMNS.join(", ")})
     select ${COLUMNS.join(", ")} from jsonb_populate_recordset(null::transactions, $1::jsonb)
     on conflict (station_id, transaction_id) do update set
       state = case when 'ended' in (transactions.state, excluded.state) then 'ended' else 'active' end,
       last_seq_no = greatest(transactions.last_seq_no, excluded.last_seq_no),
       last_event_at = greatest(transactions.last_event_at, excluded.last_event_at),
       offline = transactions.offline or excluded.offline,
       flags = case when transactions.flags @> excluded.flags then transactions.flags else transactions.flags || excluded.flags end,
       status_asked = 0, status_asked_at = null, status_settled_at = null,
       given_up_at = case when transactions.given_up_reason = 'forgotten_by_station' then null else transactions.given_up_at end,
       given_up_reason = nullif(transactions.given_up_reason, 'forgotten_by_station'),
       ${KEPT.map((name) => `${name} = coalesce(transactions.${name}, excluded.${name})`).join(", ")}`,
    [JSON.stringify(changes)],
  );
}

/** What a beginning or an end brings with it. Most batches hold neither. */
async function followUp(sql: Sql, changes: readonly TransactionChange[]): Promise<void> {
  const keysOf = (some: readonly TransactionChange[]) =>
    some.map((change) => ({ stationId: change.station_id, transactionId: change.transaction_id }));
  const begun = changes.filter((change) => change.started_at !== null);
  await giveUpOlder(sql, keysOf(begun));
  await noteComplete(sql, changes);
  await tellSessions(sql, keysOf(changes.filter((change) => change.started_at !== null || change.state === "ended")));
}

/** Complete is what has its Started, its Ended, and every number between (P2 §1.3.2). A late event may fill the hole. */
async function noteComplete(sql: Sql, changes: readonly TransactionChange[]): Promise<void> {
  await sql.query(
    `update transactions t set complete = true
     where (station_id, transaction_id) in (select * from unnest($1::bigint[], $2::text[])) and state = 'ended' and not complete
       and (select count(*) from transaction_events e
            where e.station_id = t.station_id and e.transaction_id = t.transaction_id and e.seq_no between t.started_seq_no and t.ended_seq_no)
         = t.ended_seq_no::bigint - t.started_seq_no + 1`,
    [changes.map((change) => change.station_id), changes.map((change) => change.transaction_id)],
  );
}

/** Said once and then kept: each stands in one kind of event only, or does not change within a transaction. */
const KEPT = [
  "evse_id",
  "connector_id",
  "id_token",
  "id_token_type",
  "id_token_status",
  "started_at",
  "start_received_at",
  "meter_start_wh",
  "stopped_at",
  "stop_received_at",
  "meter_stop_wh",
  "stop_reason",
  "stop_id_token",
  "started_seq_no",
  "ended_seq_no",
] as const satisfies (keyof TransactionChange)[];
const COLUMNS = [
  "session_id",
  "org_id",
  "station_id",
  "ocpp_version",
  "transaction_id",
  "state",
  "last_seq_no",
  "last_event_at",
  "offline",
  "flags",
  ...KEPT,
] as const satisfies (keyof TransactionChange)[];
