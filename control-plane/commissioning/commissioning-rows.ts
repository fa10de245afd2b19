import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Sql } from "../database.ts";
import type { CheckState } from "./advance-checks.ts";
import { CHECK_NAMES, type CheckName, type CheckStatus } from "./check-scene.ts";

export type CommissioningStatus = "in_progress" | "completed" | "failed";

/** A commissioning with its station: its row, and what never changes. */
export interface Commissioning {
  id: string;
  stationId: string;
  chargePointId: string;
  identity: StationIdentity;
  orgId: string;
  projectId: string;
  status: CommissioningStatus;
  connectivityTest: boolean;
  meterCalibration: boolean;
  startedAt: Date;
  completedAt: Date | null;
  revision: number;
}

const COLUMNS = `m.id, m.station_id::text as "stationId", s.charge_point_id as "chargePointId", s.identity, s.org_id as "orgId", m.project_id as "projectId",
  m.status, m.run_connectivity_test as "connectivityTest", m.run_meter_calibration as "meterCalibration", m.started_at as "startedAt",
  m.completed_at as "completedAt", m.revision
  from commissionings m join stations s on s.id = m.station_id`;

/** The commissioning of a station, if it was ever started. @param lock hold its row until the transaction ends. */
export async function findCommissioning(
  sql: Sql,
  where: { id: string } | { stationId: string },
  lock: "lock" | "read",
): Promise<Commissioning | undefined> {
  const [column, value] = "id" in where ? ["m.id", where.id] : ["m.station_id", where.stationId];
  const [row] = await sql.query<Commissioning>(
    `select ${COLUMNS} where ${column} = $1${lock === "lock" ? " for update of m" : ""}`,
    [value],
  );
  return row;
}

interface CheckRow {
  name: CheckName;
  status: CheckStatus;
  value: string | null;
  cause: string | null;
  remedy: string | null;
  asked: number;
  question_id: string | null;
  asked_at: Date | null;
  started_at: Date | null;
  deadline_at: Date | null;
  next_attempt_at: Date | null;
  finished_at: Date | null;
}

/** Its checks, in the order in which they are shown. */
export async function loadChecks(sql: Sql, commissioningId: string): Promise<CheckState[]> {
  const rows = await sql.query<CheckRow>("select * from commissioning_checks where commissioning_id = $1", [
    commissioningId,
  ]);
  return rows
    .map((row) => ({
      name: row.name,
      status: row.status,
      value: row.value,
      cause: row.cause,
      remedy: row.remedy,
      asked: row.asked,
      questionId: row.question_id,
      askedAt: row.asked_at,
      startedAt: row.started_at,
      deadlineAt: row.deadline_at,
      nextAttemptAt: row.next_attempt_at,
      finishedAt: row.finished_at,
    }))
    .sort((a, b) => CHECK_NAMES.indexOf(a.name) - CHECK_NAMES.indexOf(b.name));
}

/** Writes checks over those of the same name. */
export async function saveChecks(sql: Sql, commissioningId: string, checks: readonly CheckState[]): Promise<void> {
  for (const check of checks) {
    await sql.query(
      `insert into commissioning_checks (commissioning_id, name, status, value, cause, remedy, asked, question_id, asked_at, started_at, deadline_at, next_attempt_at, finished_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (commissioning_id, name) do update set
         status = excluded.status, value = excluded.value, cause = excluded.cause, remedy = excluded.remedy, asked = excluded.asked,
         question_id = excluded.question_id, asked_at = excluded.asked_at, started_at = excluded.started_at, deadline_at = excluded.deadline_at,
         next_attempt_at = excluded.next_attempt_at, finished_at = excluded.finished_at`,
      [
        commissioningId,
        check.name,
        check.status,
        check.value,
        check.cause,
        check.remedy,
        check.asked,
        check.questionId,
        check.askedAt,
        check.startedAt,
        check.deadlineAt,
        check.nextAttemptAt,
        check.finishedAt,
      ],
    );
  }
}
