import type { Sql } from "../database.ts";
import { recordEvent } from "../webhooks/record-event.ts";
import { isOpen } from "./check-scene.ts";
import { toStartAnswer } from "./commissioning-answer.ts";
import { findCommissioning, loadChecks, saveChecks } from "./commissioning-rows.ts";

/**
 * Ends what runs of a station's commissioning as failed, for a station that is taken away, and tells the organisation, in
 * the caller's transaction. @returns the ids of the events, to be woken after the commit; none when nothing was running.
 */
export async function endCommissioning(sql: Sql, stationId: string, cause: string): Promise<string[]> {
  const commissioning = await findCommissioning(sql, { stationId }, "lock");
  if (commissioning?.status !== "in_progress") return [];
  const now = new Date();
  const ended = {
    status: "failed",
    cause,
    remedy: null,
    nextAttemptAt: null,
    deadlineAt: null,
    finishedAt: now,
  } as const;
  const checks = (await loadChecks(sql, commissioning.id)).map((check) =>
    isOpen(check.status) ? { ...check, ...ended } : check,
  );
  await saveChecks(sql, commissioning.id, checks);
  const after = { ...commissioning, status: "failed" as const, revision: commissioning.revision + 1 };
  await sql.query("update commissionings set status = 'failed', revision = $2 where id = $1", [
    after.id,
    after.revision,
  ]);
  const data = { ...toStartAnswer(after, checks), project_id: commissioning.projectId };
  return [await recordEvent(sql, { orgId: commissioning.orgId, type: "commissioning.failed", data })];
}
