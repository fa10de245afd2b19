import type { Owner } from "../commands/resolve-owner.ts";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { recordEvent } from "../webhooks/record-event.ts";
import { type Advance, advanceChecks, type CheckState, commissioningStatusFrom } from "./advance-checks.ts";
import { toStartAnswer } from "./commissioning-answer.ts";
import { type Commissioning, loadChecks, saveChecks } from "./commissioning-rows.ts";
import type { CommissioningSettings } from "./commissioning-settings.ts";
import { loadQuestions } from "./questions.ts";
import { loadStationFacts } from "./station-facts.ts";

export interface Advanced {
  commissioning: Commissioning;
  checks: CheckState[];
  asks: Advance["asks"];
  eventIds: string[];
}

/** A command that was noted is written within this. */
const UNWRITTEN_AFTER_MS = 5_000;

/** What a caller wants of one step. */
export interface StepOptions {
  /** Whether checks may plan CALLs: the caller sends them after the commit. */
  mayAsk: boolean;
  /** It was started just now: that is told too, as the step leaves it, which is what the answer to `start` says. */
  justStarted: boolean;
}

/** Says why a station is not connected, for who stands before it. */
export type DiagnoseConnection = (sql: Sql, stationId: string) => Promise<{ detail: string; remedy: string | null }>;

/**
 * Moves a commissioning on by what is known now and writes it down, with the events of its start and its end in the same
 * transaction.
 * @param commissioning its row, locked by the caller. @param owner who holds the station's socket, asked just before.
 * @param diagnose asked once, when the check of the connection is about to fail.
 */
export async function advanceCommissioning(
  sql: Sql,
  commissioning: Commissioning,
  owner: Owner | undefined,
  settings: CommissioningSettings,
  diagnose: DiagnoseConnection,
  { mayAsk, justStarted }: StepOptions,
): Promise<Advanced> {
  const before = await loadChecks(sql, commissioning.id);
  if (commissioning.status !== "in_progress") return { commissioning, checks: before, asks: [], eventIds: [] };
  const now = new Date();
  const meter = before.find((check) => check.name === "meter_calibration" && check.status === "in_progress");
  const facts = await loadStationFacts(sql, commissioning.stationId, owner, meter?.startedAt ?? undefined);
  const connection = before.find((check) => check.name === "ocpp_connection");
  if (!facts.connected && connection?.status === "in_progress" && isOver(connection, now))
    facts.diagnosis = await diagnose(sql, commissioning.stationId);
  const { checks, asks } = advanceChecks({
    checks: before,
    now,
    facts,
    questions: await loadQuestions(sql, before, now, UNWRITTEN_AFTER_MS),
    connectivityTest: commissioning.connectivityTest,
    deadlinesMs: settings.deadlinesMs,
    mayAsk,
    questionTimeoutMs: UNWRITTEN_AFTER_MS,
    newCommandId: () => newId("cmd"),
  });
  await saveChecks(
    sql,
    commissioning.id,
    checks.filter((check, place) => check !== before[place]),
  );
  const status = commissioningStatusFrom(checks);
  const visible = checks.some((check, place) => check.status !== before[place]?.status);
  const after: Commissioning = {
    ...commissioning,
    status,
    completedAt: status === "completed" ? now : null,
    revision: commissioning.revision + (visible ? 1 : 0),
  };
  if (visible)
    await sql.query("update commissionings set status = $2, completed_at = $3, revision = $4 where id = $1", [
      after.id,
      status,
      after.completedAt,
      after.revision,
    ]);
  const eventIds: string[] = [];
  if (justStarted) eventIds.push(await recordCommissioningEvent(sql, "commissioning.started", after, checks));
  if (visible && status !== "in_progress")
    eventIds.push(await recordCommissioningEvent(sql, `commissioning.${status}`, after, checks));
  return { commissioning: after, checks, asks, eventIds };
}

const isOver = ({ deadlineAt }: CheckState, now: Date): boolean => deadlineAt !== null && now >= deadlineAt;

/** Tells the organisation, in the caller's transaction. */
function recordCommissioningEvent(
  sql: Sql,
  type: "commissioning.started" | "commissioning.completed" | "commissioning.failed",
  commissioning: Commissioning,
  checks: readonly CheckState[],
): Promise<string> {
  const data = { ...toStartAnswer(commissioning, checks), project_id: commissioning.projectId };
  return recordEvent(sql, { orgId: commissioning.orgId, type, data });
}
