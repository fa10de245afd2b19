import type { Sql } from "../database.ts";
import { type DomainEvent, recordEvents } from "../webhooks/record-event.ts";
import { afterEvent, type Connection, type ConnectionEvent, DISCONNECT_GRACE_MS } from "./connection-history.ts";
import { byFactOrder } from "./fact-order.ts";
import type { KnownStation } from "./known-station.ts";

export type StationConnectionEvent = ConnectionEvent & { station: KnownStation };

/**
 * Files connections that opened and closed, and tells charge_point.connected of stations that were away. The end of a
 * connection is only noted: `tellDueDisconnects` tells it when the station stays away.
 */
export async function recordConnections(sql: Sql, events: readonly StationConnectionEvent[]): Promise<void> {
  if (events.length === 0) return;
  const connections = await lockConnections(sql, [...new Set(events.map((event) => event.station.id))]);
  const changed = new Map<string, Connection>();
  const connected: DomainEvent[] = [];
  for (const event of [...events].sort(byFactOrder)) {
    const before = connections.get(event.station.id);
    const { connection, tellConnected } = afterEvent(before, event);
    if (connection === undefined || connection === before) continue;
    connections.set(event.station.id, connection);
    changed.set(event.station.id, connection);
    if (tellConnected) connected.push(connectedEvent(event.station, connection));
  }
  await write(
    sql,
    [...changed].sort(([a], [b]) => Number(BigInt(a) - BigInt(b))),
  );
  await recordEvents(sql, connected);
}

/**
 * Closes what the dead gateway process `nodeId` can no longer close itself. Call it when its lane is drained and its
 * leases are gone: what it still wrote has been read by then. The end is dated now: nobody saw the true one.
 */
export async function closeConnectionsOfDeadNode(sql: Sql, nodeId: string): Promise<void> {
  await sql.query(
    `update station_connections set closed_at = now(), close_reason = 'the gateway process ended',
            disconnect_due_at = case when connected_told then now() + $2 * interval '1 millisecond' end
     where node_id = $1 and closed_at is null`,
    [nodeId, DISCONNECT_GRACE_MS],
  );
}

const connectedEvent = (station: KnownStation, connection: Connection): DomainEvent => ({
  orgId: station.orgId,
  type: "charge_point.connected",
  occurredAt: connection.openedAt,
  data: {
    charge_point_id: station.chargePointId,
    project_id: station.projectId,
    ocpp_version: connection.ocppVersion as "1.6" | "2.0.1" | "2.1",
    connected_at: connection.openedAt.toISOString(),
  },
});

interface ConnectionRow {
  station_id: string;
  epoch: string;
  seq: number;
  node_id: string;
  remote_address: string;
  listener: 1 | 2 | 3 | null;
  ocpp_version: string;
  notes: string[];
  opened_at: Date;
  closed_at: Date | null;
  close_code: number | null;
  close_reason: string | null;
  connected_told: boolean;
  disconnect_due: boolean;
}

async function lockConnections(sql: Sql, stationIds: readonly string[]): Promise<Map<string, Connection>> {
  const rows = await sql.query<ConnectionRow>(
    `select station_id::text as station_id, epoch::text as epoch, seq, node_id, remote_address, listener, ocpp_version, notes, opened_at,
            closed_at, close_code, close_reason, connected_told, disconnect_due_at is not null as disconnect_due
     from station_connections where station_id = any($1::bigint[]) order by station_connections.station_id for update`,
    [stationIds],
  );
  return new Map(
    rows.map((row) => [
      row.station_id,
      {
        epoch: Number(row.epoch),
        seq: row.seq,
        nodeId: row.node_id,
        remoteAddress: row.remote_address,
        listener: row.listener,
        ocppVersion: row.ocpp_version,
        notes: row.notes,
        openedAt: row.opened_at,
        closedAt: row.closed_at,
        closeCode: row.close_code,
        closeReason: row.close_reason,
        connectedTold: row.connected_told,
        disconnectDue: row.disconnect_due,
      },
    ]),
  );
}

// Gateways' clocks may be ahead or behind: the grace time counts from now on, and nothing happens in the future. The rows
// are those that changed, so none is in its grace time already.
// jsonb, not unnest: `notes` is an array, and unnest would flatten arrays of arrays.
async function write(sql: Sql, rows: readonly (readonly [string, Connection])[]): Promise<void> {
  if (rows.length === 0) return;
  const records = rows.map(([stationId, c]) => ({
    station_id: stationId,
    epoch: c.epoch,
    seq: c.seq,
    node_id: c.nodeId,
    remote_address: c.remoteAddress,
    listener: c.listener,
    ocpp_version: c.ocppVersion,
    notes: c.notes,
    opened_at: c.openedAt,
    closed_at: c.closedAt,
    close_code: c.closeCode,
    close_reason: c.closeReason,
    connected_told: c.connectedTold,
    disconnect_due: c.disconnectDue,
  }));
  await sql.query(
    `insert into station_connections (station_id, epoch, seq, node_id, remote_address, listener, ocpp_version, notes, opened_at, closed_at,
       close_code, close_reason, connected_told, disconnect_due_at)
     select r.station_id, r.epoch, r.seq, r.node_id, r.remote_address, r.listener, r.ocpp_version, r.notes, least(r.opened_at, now()),
       case when r.closed_at is not null then least(r.closed_at, now()) end, r.close_code, r.close_reason, r.connected_told,
       case when due.disconnect_due then now() + $2 * interval '1 millisecond' end
     from jsonb_array_elements($1::jsonb) as changed,
       jsonb_populate_record(null::station_connections, changed) as r,
       jsonb_to_record(changed) as due (disconnect_due boolean)
     on conflict (station_id) do update set
       epoch = excluded.epoch, seq = excluded.seq, node_id = excluded.node_id, remote_address = excluded.remote_address, listener = excluded.listener,
       ocpp_version = excluded.ocpp_version, notes = excluded.notes, opened_at = excluded.opened_at, closed_at = excluded.closed_at,
       close_code = excluded.close_code, close_reason = excluded.close_reason, connected_told = excluded.connected_told,
       disconnect_due_at = excluded.disconnect_due_at
     where station_connections.epoch <= excluded.epoch`,
    [JSON.stringify(records), DISCONNECT_GRACE_MS],
  );
}
