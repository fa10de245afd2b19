import type { Sql } from "../database.ts";
import { recordEvents } from "../webhooks/record-event.ts";
import { byFactOrder, type FactOrder, isLater } from "./fact-order.ts";
import type { KnownStation } from "./known-station.ts";

/** One StatusNotification (1.6 §4.9; 2.x G01). */
export interface StatusReport extends FactOrder {
  station: KnownStation;
  /** 0 for OCPP 1.6, which has no EVSEs. */
  evseId: number;
  /** 1.6: 0 is the whole station. */
  connectorId: number;
  status: string;
  errorCode: string | null;
  info: string | null;
  vendorErrorCode: string | null;
  /** The station's clock; null where it sent none or one that is no time. */
  reportedAt: Date | null;
  receivedAt: Date;
}

interface StoredStatus extends FactOrder {
  status: string;
}

const keyOf = (stationId: string, evseId: number, connectorId: number) => `${stationId}/${evseId}/${connectorId}`;

/**
 * Brings the connectors' statuses forward, and tells each change (charge_point.status_changed), also those that a later
 * report of the same batch has overtaken. A report that is older than what is stored changes nothing.
 */
export async function recordStatuses(sql: Sql, reports: readonly StatusReport[]): Promise<void> {
  if (reports.length === 0) return;
  const stored = await lockStored(sql, reports);
  const changes: { report: StatusReport; previousStatus: string | null }[] = [];
  const newest = new Map<string, StatusReport>();
  for (const report of [...reports].sort(byFactOrder)) {
    const key = keyOf(report.station.id, report.evseId, report.connectorId);
    const before = newest.get(key) ?? stored.get(key);
    if (before !== undefined && !isLater(report, before)) continue;
    if (before?.status !== report.status) changes.push({ report, previousStatus: before?.status ?? null });
    newest.set(key, report);
  }
  await write(sql, [...newest.values()]);
  await recordEvents(
    sql,
    changes.map(({ report, previousStatus }) => ({
      orgId: report.station.orgId,
      type: "charge_point.status_changed",
      occurredAt: report.receivedAt,
      data: {
        charge_point_id: report.station.chargePointId,
        project_id: report.station.projectId,
        evse_id: report.evseId === 0 ? null : report.evseId,
        connector_id: report.connectorId,
        status: report.status,
        previous_status: previousStatus,
        error_code: report.errorCode,
        reported_at: (report.reportedAt ?? report.receivedAt).toISOString(),
      },
    })),
  );
}

/** Locks the rows in key order, so that two intakes never wait for each other in a circle. */
async function lockStored(sql: Sql, reports: readonly StatusReport[]): Promise<Map<string, StoredStatus>> {
  const rows = await sql.query<{
    station_id: string;
    evse_id: number;
    connector_id: number;
    status: string;
    epoch: string;
    seq: number;
  }>(
    `select station_id::text as station_id, evse_id, connector_id, status, epoch::text as epoch, seq from connector_status
     where (station_id, evse_id, connector_id) in (select * from unnest($1::bigint[], $2::int[], $3::int[]))
     order by connector_status.station_id, evse_id, connector_id for update`,
    [reports.map((r) => r.station.id), reports.map((r) => r.evseId), reports.map((r) => r.connectorId)],
  );
  return new Map(
    rows.map((row) => [
      keyOf(row.station_id, row.evse_id, row.connector_id),
      { status: row.status, epoch: Number(row.epoch), seq: row.seq },
    ]),
  );
}

// The guard again: a row that did not exist could not be locked, and another lane may have written it meanwhile.
async function write(sql: Sql, reports: readonly StatusReport[]): Promise<void> {
  if (reports.length === 0) return;
  await sql.query(
    `insert into connector_status (station_id, evse_id, connector_id, status, error_code, info, vendor_error_code, reported_at, received_at, epoch, seq)
     select * from unnest($1::bigint[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::int[])
       as r (station_id, evse_id, connector_id, status, error_code, info, vendor_error_code, reported_at, received_at, epoch, seq)
     order by station_id, evse_id, connector_id
     on conflict (station_id, evse_id, connector_id) do update set
       status = excluded.status, error_code = excluded.error_code, info = excluded.info, vendor_error_code = excluded.vendor_error_code,
       reported_at = excluded.reported_at, received_at = excluded.received_at, epoch = excluded.epoch, seq = excluded.seq
     where (connector_status.epoch, connector_status.seq) < (excluded.epoch, excluded.seq)`,
    [
      reports.map((r) => r.station.id),
      reports.map((r) => r.evseId),
      reports.map((r) => r.connectorId),
      reports.map((r) => r.status),
      reports.map((r) => r.errorCode),
      reports.map((r) => r.info),
      reports.map((r) => r.vendorErrorCode),
      reports.map((r) => r.reportedAt?.toISOString() ?? null),
      reports.map((r) => r.receivedAt.toISOString()),
      reports.map((r) => r.epoch),
      reports.map((r) => r.seq),
    ],
  );
}
