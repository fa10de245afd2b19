import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import type { Owner } from "../commands/resolve-owner.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { newId } from "../ids.ts";
import { lockOpenProject } from "../projects/lock-open-project.ts";
import { advanceCommissioning, type Advanced, type DiagnoseConnection } from "./advance-commissioning.ts";
import { type CheckState, commissioningStatusFrom, freshCheck, switchedOff } from "./advance-checks.ts";
import { CHECK_NAMES } from "./check-scene.ts";
import { type Commissioning, findCommissioning, loadChecks, saveChecks } from "./commissioning-rows.ts";
import type { CommissioningSettings } from "./commissioning-settings.ts";
import { findInstallerStation, type InstallerStation } from "./installer-station.ts";

/** Options not given keep what the first start said; by default everything runs. */
export interface StartRequest {
  installerId: string;
  chargePointId: string;
  connectivityTest: boolean | undefined;
  meterCalibration: boolean | undefined;
  notes: string | undefined;
}

export interface StartDeps {
  pool: pg.Pool;
  /** Who holds the station's socket now. Throws when Redis is away. */
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  /** Resolves when what its gateway answered by now is on record, or soon after. */
  awaitIntake(owner: Owner): Promise<void>;
  diagnose: DiagnoseConnection;
  settings: CommissioningSettings;
}

export interface Started extends Advanced {
  /** False: there was one, and it goes on. */
  created: boolean;
}

/**
 * Starts a station's commissioning, or goes on with it: the same id, what passed stays passed, what failed is tried again.
 * Everything that is known already is judged at once; the rest is left to the jobs. Two starts at the same moment make one.
 */
export async function startCommissioning(
  request: StartRequest,
  deps: StartDeps,
): Promise<Result<Started, "not_found" | "handed_over">> {
  const station = await findInstallerStation(sqlOn(deps.pool), request.installerId, request.chargePointId);
  if (station === undefined) return err("not_found");
  const owner = await deps.resolveOwner(station.identity);
  if (owner?.alive === true) await deps.awaitIntake(owner);
  return inTransaction(deps.pool, async (sql) => {
    const project = await lockOpenProject(sql, station.projectId);
    if (!project.ok) return project;
    const created = await insertCommissioning(sql, station, request);
    const commissioning = await findCommissioning(sql, { stationId: station.id }, "lock");
    if (commissioning === undefined) throw new Error(`commissioning of station ${station.id} is gone`);
    const { ready, justStarted } = created
      ? await begin(sql, commissioning)
      : await resume(sql, commissioning, request);
    const advanced = await advanceCommissioning(sql, ready, owner, deps.settings, deps.diagnose, {
      mayAsk: false,
      justStarted,
    });
    return ok({ ...advanced, created });
  });
}

async function insertCommissioning(sql: Sql, station: InstallerStation, request: StartRequest): Promise<boolean> {
  const rows = await sql.query(
    `insert into commissionings (id, station_id, project_id, installer_id, status, run_connectivity_test, run_meter_calibration, notes)
     values ($1, $2, $3, $4, 'in_progress', $5, $6, $7) on conflict (station_id) do nothing returning id`,
    [
      newId("comm"),
      station.id,
      station.projectId,
      request.installerId,
      request.connectivityTest ?? true,
      request.meterCalibration ?? true,
      request.notes ?? null,
    ],
  );
  return rows.length > 0;
}

interface Ready {
  ready: Commissioning;
  /** Whether it is under way from now on and was not before. */
  justStarted: boolean;
}

async function begin(sql: Sql, commissioning: Commissioning): Promise<Ready> {
  const checks = CHECK_NAMES.map((name) => withOption(freshCheck(name), commissioning, new Date()));
  await saveChecks(sql, commissioning.id, checks);
  return { ready: commissioning, justStarted: true };
}

async function resume(sql: Sql, before: Commissioning, request: StartRequest): Promise<Ready> {
  const now = new Date();
  const wanted: Commissioning = {
    ...before,
    connectivityTest: request.connectivityTest ?? before.connectivityTest,
    meterCalibration: request.meterCalibration ?? before.meterCalibration,
  };
  const former = await loadChecks(sql, before.id);
  const checks = former.map((check) => withOption(retried(check), wanted, now));
  const changed = checks.filter((check, place) => check !== former[place]);
  const optionsChanged =
    wanted.connectivityTest !== before.connectivityTest || wanted.meterCalibration !== before.meterCalibration;
  if (changed.length === 0 && !optionsChanged && request.notes === undefined)
    return { ready: before, justStarted: false };
  await saveChecks(sql, before.id, changed);
  const reopened = before.status !== "in_progress" && commissioningStatusFrom(checks) === "in_progress";
  const ready: Commissioning = {
    ...wanted,
    revision: before.revision + 1,
    ...(reopened ? { status: "in_progress" as const, completedAt: null } : {}),
  };
  await sql.query(
    `update commissionings set run_connectivity_test = $2, run_meter_calibration = $3, notes = coalesce($4, notes), status = $5, completed_at = $6, revision = $7
     where id = $1`,
    [
      ready.id,
      ready.connectivityTest,
      ready.meterCalibration,
      request.notes ?? null,
      ready.status,
      ready.completedAt,
      ready.revision,
    ],
  );
  return { ready, justStarted: reopened };
}

const retried = (check: CheckState): CheckState => (check.status === "failed" ? freshCheck(check.name) : check);

/** The installer's options decide about two of the checks; one that has passed stays passed. */
function withOption(
  check: CheckState,
  options: Pick<Commissioning, "connectivityTest" | "meterCalibration">,
  now: Date,
): CheckState {
  if (check.status === "passed") return check;
  const option = OPTIONS[check.name];
  if (option === undefined) return check;
  const off = switchedOff(check.name, option.name, now);
  if (!options[option.key]) return check.status === "skipped" ? check : off;
  return check.status === "skipped" && check.cause === off.cause ? freshCheck(check.name) : check;
}

const OPTIONS: Partial<Record<CheckState["name"], { name: string; key: "connectivityTest" | "meterCalibration" }>> = {
  ocpp_connection: { name: "run_connectivity_test", key: "connectivityTest" },
  meter_calibration: { name: "run_meter_calibration", key: "meterCalibration" },
};
