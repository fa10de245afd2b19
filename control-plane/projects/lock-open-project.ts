import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Sql } from "../database.ts";

/**
 * Holds a project open until the caller's transaction ends: a handover waits for it, and after a handover the answer is
 * "handed_over". For everything that an installer changes inside a project. Take this lock before those of the project's
 * stations and commissionings, as the handover does.
 */
export async function lockOpenProject(sql: Sql, projectId: string): Promise<Result<void, "not_found" | "handed_over">> {
  const [project] = await sql.query<{ status: string }>("select status from projects where id = $1 for share", [
    projectId,
  ]);
  if (project === undefined) return err("not_found");
  return project.status === "in_progress" ? ok(undefined) : err("handed_over");
}
