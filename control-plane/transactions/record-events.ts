import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { energyRegisterWh } from "./meter-reading.ts";
import type { EventMessage } from "./transaction-messages.ts";

/** A TransactionEvent to be filed. */
export interface ReceivedEvent {
  station: KnownStation;
  ocppVersion: string;
  event: EventMessage;
  receivedAt: Date;
  /** JSON text that Postgres takes. */
  payload: string;
  /** The answer's payload that was given or is to be given; undefined where it follows from the action. */
  answer: object | undefined;
}

/**
 * Files events of OCPP 2.x by (station, transactionId, seqNo) and brings their transactions forward: events may come in
 * any order and more than once, a transaction that ended stays ended.
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
  await upsertTransactions(sql, filed);
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

/** What the events of one batch say of one transaction: a row may be touched only once per statement. */
interface Change {
  session_id: string;
  org_id: string;
  station_id: string;
  ocpp_version: string;
  transaction_id: string;
  evse_id: number | null;
  connector_id: number | null;
  id_token: string | null;
  id_token_type: string | null;
  state: "active" | "ended";
  started_at: string | null;
  start_received_at: string | null;
  meter_start_wh: string | null;
  stopped_at: string | null;
  stop_received_at: string | null;
  meter_stop_wh: string | null;
  stop_reason: string | null;
  stop_id_token: string | null;
  last_seq_no: number;
}

function changeOf({ station, ocppVersion, event, receivedAt }: ReceivedEvent): Change {
  const at = (event.occurredAt ?? receivedAt).toISOString();
  const started = event.eventType === "Started";
  const ended = event.eventType === "Ended";
  return {
    session_id: newId("sess"),
    org_id: station.orgId,
    station_id: station.id,
    ocpp_version: ocppVersion,
    transaction_id: event.transactionId,
    evse_id: event.evseId,
    connector_id: event.connectorId,
    // The token of an Ended event is the one it was stopped with (P2 E07).
    id_token: ended ? null : event.idToken,
    id_token_type: ended ? null : event.idTokenType,
    state: ended ? "ended" : "active",
    started_at: started ? at : null,
    start_received_at: started ? receivedAt.toISOString() : null,
    meter_start_wh: started ? energyRegisterWh(event.readings, "Transaction.Begin") : null,
    stopped_at: ended ? at : null,
    stop_received_at: ended ? receivedAt.toISOString() : null,
    meter_stop_wh: ended ? energyRegisterWh(event.readings, "Transaction.End") : null,
    // The spec's default for an end without reason (P2 TransactionType).
    stop_reason: ended ? (event.stoppedReason ?? "Local") : null,
    stop_id_token: ended ? event.idToken : null,
    last_seq_no: event.seqNo,
  };
}

function merge(a: Change, b: Change): Change {
  const merged = { ...a };
  for (const [name, value] of Object.entries(b))
    if (a[name as keyof Change] === null) Object.assign(merged, { [name]: value });
  return {
    ...merged,
    state: b.state === "ended" ? "ended" : a.state,
    last_seq_no: Math.max(a.last_seq_no, b.last_seq_no),
  };
}

async function upsertTransactions(sql: Sql, received: readonly ReceivedEvent[]): Promise<void> {
  const changes = new Map<string, Change>();
  for (const one of received) {
    const change = changeOf(one);
    const key = `${change.station_id}/${change.transaction_id}`;
    const other = changes.get(key);
    changes.set(key, other === undefined ? change : merge(other, change));
  }
  if (changes.size === 0) return;
  await sql.query(
    `insert into transactions (${COLUMNS.join(", ")})
     select ${COLUMNS.join(", ")} from jsonb_populate_recordset(null::transactions, $1::jsonb)
     on conflict (station_id, transaction_id) do update set
       state = case when 'ended' in (transactions.state, excluded.state) then 'ended' else 'active' end,
       last_seq_no = greatest(transactions.last_seq_no, excluded.last_seq_no),
       ${KEPT.map((name) => `${name} = coalesce(transactions.${name}, excluded.${name})`).join(", ")}`,
    [JSON.stringify([...changes.values()])],
  );
}

/** Said once and then kept: each stands in one kind of event only, or does not change within a transaction. */
const KEPT = [
  "evse_id",
  "connector_id",
  "id_token",
  "id_token_type",
  "started_at",
  "start_received_at",
  "meter_start_wh",
  "stopped_at",
  "stop_received_at",
  "meter_stop_wh",
  "stop_reason",
  "stop_id_token",
] as const satisfies (keyof Change)[];
const COLUMNS = [
  "session_id",
  "org_id",
  "station_id",
  "ocpp_version",
  "transaction_id",
  "state",
  "last_seq_no",
  ...KEPT,
] as const satisfies (keyof Change)[];
