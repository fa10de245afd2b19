import type { Sql } from "../database.ts";
import type { TransactionKey } from "../transactions/give-up-transactions.ts";
import { type DomainEvent, recordEvents } from "../webhooks/record-event.ts";
import { energyKwh, minutesOf, SELECT_SESSIONS, type SessionRow } from "./session-row.ts";

/**
 * Tells session.started and session.ended of these transactions, each once: when a beginning is on record that the station
 * knows of (1.6: its id was told), and when the end is. Call it in the transaction that may have brought one of them there.
 */
export async function tellSessions(sql: Sql, keys: readonly TransactionKey[]): Promise<void> {
  if (keys.length === 0) return;
  const rows = await sql.query<SessionRow & { started_told: boolean; ended_told: boolean }>(
    `select q.*, t.started_told, t.ended_told
     from (${SELECT_SESSIONS} where (t.station_id, t.transaction_id) in (select * from unnest($1::bigint[], $2::text[]))) q
     join transactions t on t.id = q.id::bigint
     where (t.state = 'ended' and not t.ended_told)
        or (t.started_at is not null and not t.started_told and (t.ocpp_version <> '1.6' or t.start_confirmed_at is not null))
     order by t.id for update of t`,
    [keys.map((key) => key.stationId), keys.map((key) => key.transactionId)],
  );
  if (rows.length === 0) return;
  const events = rows.flatMap((row): DomainEvent[] => [
    ...(row.started_at === null || row.started_told ? [] : [startedEvent(row, row.started_at)]),
    ...(row.state !== "ended" || row.ended_told ? [] : [endedEvent(row)]),
  ]);
  await recordEvents(sql, events);
  await sql.query(
    `update transactions set started_told = started_told or started_at is not null, ended_told = ended_told or state = 'ended' where id = any($1::bigint[])`,
    [rows.map((row) => row.id)],
  );
}

function startedEvent(row: SessionRow, startedAt: Date): DomainEvent {
  return {
    orgId: row.org_id,
    type: "session.started",
    occurredAt: startedAt,
    ...cameAt(row.start_received_at),
    key: [row.session_id],
    data: startedData(row),
  };
}

function endedEvent(row: SessionRow): DomainEvent {
  const endedAt = row.stopped_at ?? row.stop_received_at ?? new Date();
  return {
    orgId: row.org_id,
    type: "session.ended",
    occurredAt: endedAt,
    ...cameAt(row.stop_received_at),
    key: [row.session_id],
    data: {
      ...startedData(row),
      ended_at: endedAt.toISOString(),
      duration_minutes: minutesOf(row),
      energy_kwh: numberOf(energyKwh(row.meter_start_wh, row.meter_stop_wh)),
      meter_stop_wh: numberOf(row.meter_stop_wh),
      stop_reason: row.stop_reason,
      stop_id_token: row.stop_id_token,
    },
  };
}

const cameAt = (receivedAt: Date | null) => (receivedAt === null ? {} : { receivedAt });

const startedData = (row: SessionRow) => ({
  session_id: row.session_id,
  transaction_id: row.transaction_id,
  charge_point_id: row.charge_point_id,
  project_id: row.project_id,
  evse_id: row.evse_id,
  connector_id: row.connector_id,
  id_token: row.id_token,
  id_token_status: row.id_token_status,
  started_at: row.started_at?.toISOString() ?? null,
  meter_start_wh: numberOf(row.meter_start_wh),
  offline: row.offline,
});

/** Events travel as JSON through several hands; no register of a meter has more digits than a number of JavaScript. */
const numberOf = (decimal: string | null): number | null => (decimal === null ? null : Number(decimal));
