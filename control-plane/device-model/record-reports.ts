import type { Sql } from "../database.ts";
import type { FactOrder } from "../stations/fact-order.ts";

/** One message of a report that comes in many. */
export interface ReportPart extends FactOrder {
  stationId: string;
  kind: "variables" | "monitors";
  requestId: number;
  seqNo: number;
  /** Nothing follows it (`tbc` is not true). */
  last: boolean;
  receivedAt: Date;
}

/** Reports have dozens of parts; whoever counts further is not followed. */
const MAX_PARTS = 10_000;

interface StoredReport {
  station_id: string;
  kind: string;
  request_id: number;
  base: string | null;
  first_epoch: string;
  first_seq: number;
  complete: boolean;
  completed_at: Date | null;
}

/**
 * Notes which parts of a report are here, in any order and however often each comes. A base report of ours that is complete
 * tells the whole device model: what the station does not have any more goes, and it is not asked again.
 */
export async function recordReportParts(sql: Sql, parts: readonly ReportPart[]): Promise<void> {
  const rows = byReport(parts.filter(({ seqNo }) => seqNo >= 0 && seqNo < MAX_PARTS));
  if (rows.length === 0) return;
  const reports = await sql.query<StoredReport>(
    `insert into station_reports as r (station_id, kind, request_id, parts, last_part, first_epoch, first_seq, updated_at)
     select station_id, kind, request_id, parts::int4multirange, last_part, epoch, seq, received_at
     from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::int[], $6::bigint[], $7::int[], $8::timestamptz[])
       as p (station_id, kind, request_id, parts, last_part, epoch, seq, received_at)
     order by station_id, kind, request_id
     on conflict (station_id, kind, request_id) do update set
       parts = r.parts + excluded.parts, last_part = coalesce(excluded.last_part, r.last_part), updated_at = excluded.updated_at,
       first_epoch = case when r.first_epoch is null or (excluded.first_epoch, excluded.first_seq) < (r.first_epoch, r.first_seq) then excluded.first_epoch else r.first_epoch end,
       first_seq = case when r.first_epoch is null or (excluded.first_epoch, excluded.first_seq) < (r.first_epoch, r.first_seq) then excluded.first_seq else r.first_seq end
     returning station_id::text as station_id, kind, request_id, base, first_epoch::text as first_epoch, first_seq, completed_at,
       coalesce(parts @> int4range(0, last_part + 1), false) as complete`,
    [
      rows.map((row) => row.stationId),
      rows.map((row) => row.kind),
      rows.map((row) => row.requestId),
      rows.map((row) => `{${[...row.seqNos].map((seqNo) => `[${seqNo},${seqNo}]`).join(",")}}`),
      rows.map((row) => row.lastPart),
      rows.map((row) => row.first.epoch),
      rows.map((row) => row.first.seq),
      rows.map((row) => row.receivedAt.toISOString()),
    ],
  );
  for (const report of reports) if (report.complete && report.completed_at === null) await complete(sql, report);
}

async function complete(sql: Sql, report: StoredReport): Promise<void> {
  const { station_id: stationId, kind, request_id: requestId, first_epoch: epoch, first_seq: seq } = report;
  await sql.query(
    "update station_reports set completed_at = now() where station_id = $1 and kind = $2 and request_id = $3",
    [stationId, kind, requestId],
  );
  if (kind !== "variables" || report.base !== "FullInventory") return;
  // Not in the whole inventory, and not told since: gone, as after another firmware.
  await sql.query(
    `delete from station_variables where station_id = $1 and (epoch, seq) < ($2::bigint, $3::int)
       and (described_epoch is null or (described_epoch, described_seq) < ($2::bigint, $3::int))`,
    [stationId, epoch, seq],
  );
  await sql.query(
    "update base_report_requests set state = 'complete', changed_at = now() where station_id = $1 and request_id = $2",
    [stationId, requestId],
  );
}

interface ReportRow {
  stationId: string;
  kind: ReportPart["kind"];
  requestId: number;
  seqNos: Set<number>;
  lastPart: number | null;
  first: FactOrder;
  receivedAt: Date;
}

function byReport(parts: readonly ReportPart[]): ReportRow[] {
  const rows = new Map<string, ReportRow>();
  for (const { stationId, kind, requestId, seqNo, last, epoch, seq, receivedAt } of parts) {
    const key = `${stationId}/${kind}/${requestId}`;
    const row = rows.get(key) ?? {
      stationId,
      kind,
      requestId,
      seqNos: new Set(),
      lastPart: null,
      first: { epoch, seq },
      receivedAt,
    };
    rows.set(key, row);
    row.seqNos.add(seqNo);
    if (last) row.lastPart = seqNo;
    if (epoch < row.first.epoch || (epoch === row.first.epoch && seq < row.first.seq)) row.first = { epoch, seq };
    row.receivedAt = receivedAt;
  }
  return [...rows.values()];
}
