import { z } from "zod";
import { sqlOf } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { type AssignDeps, assignInstaller } from "./assign-installer.ts";
import { noSuchProject } from "./project-problems.ts";

/** Which installers may work on a project. */
export function assignmentRoutes(deps: AssignDeps): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/projects/{project_id}/installers",
      operationId: "assignInstaller",
      summary: "Assign an installer to a project",
      description: "The installer_id is what the installer got at sign-up. Assigning again changes nothing.",
      tag: "Projects",
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      idempotent: true,
      params: z.strictObject({ project_id: z.string() }),
      body: z.strictObject({ installer_id: z.string().min(1).max(64) }),
      bodyExample: { installer_id: "ins_01hx9k2m3n4p" },
      responses: {
        201: {
          description: "Assigned",
          schema: z.object({ project_id: z.string(), installer_id: z.string(), assigned_at: isoTime() }),
          example: {
            project_id: "proj_01hx5t6u7v8w",
            installer_id: "ins_01hx9k2m3n4p",
            assigned_at: "2026-04-28T08:00:00Z",
          },
        },
      },
      problems: ["project_not_found", "not_found"],
      async handle({ caller, params, body }) {
        const outcome = await assignInstaller(deps, caller.orgId, params.project_id, body.installer_id);
        if (outcome.ok)
          return {
            status: 201,
            body: {
              project_id: params.project_id,
              installer_id: body.installer_id,
              assigned_at: isoSeconds(outcome.value.assignedAt),
            },
          };
        if (outcome.error === "no-such-project") throw noSuchProject(params.project_id);
        throw new ProblemError("not_found", `There is no installer ${body.installer_id}.`, {
          remedy: "Ask the installer for the installer_id: GET /api/v1/installer/me and each login answer it.",
        });
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/projects/{project_id}/installers/{installer_id}",
      operationId: "removeInstaller",
      summary: "Take an installer off a project",
      tag: "Projects",
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      params: z.strictObject({ project_id: z.string(), installer_id: z.string() }),
      responses: { 204: { description: "The installer no longer sees the project" } },
      problems: ["project_not_found", "not_found"],
      async handle({ caller, params }) {
        const sql = sqlOf(deps.orm.em.fork());
        const owned = await sql.query(`select 1 from projects where id = $1 and org_id = $2`, [
          params.project_id,
          caller.orgId,
        ]);
        if (owned.length === 0) throw noSuchProject(params.project_id);
        const removed = await sql.query(
          `delete from project_installers where project_id = $1 and installer_id = $2 returning installer_id`,
          [params.project_id, params.installer_id],
        );
        if (removed.length === 0) throw new ProblemError("not_found", "This installer is not assigned to the project.");
        return { status: 204 };
      },
    }),
  ];
}
