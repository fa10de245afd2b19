import type { MikroORM } from "@mikro-orm/postgresql";
import { z } from "zod";
import { sqlOf } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { notAssigned } from "./project-problems.ts";
import { PROJECT_COLUMNS, type ProjectRow } from "./project-summary.ts";

type AssignedRow = ProjectRow & { assigned_at: Date; assigned_at_text: string };

const COLUMNS = `${PROJECT_COLUMNS}, a.assigned_at, to_char(a.assigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as assigned_at_text`;

const shape = {
  project_id: z.string(),
  name: z.string(),
  site_address: z.string(),
  charge_points_expected: z.number().int(),
  charge_points_commissioned: z.number().int(),
  status: z.enum(["in_progress", "handed_over"]),
  assigned_at: isoTime(),
};

const assignedProject = named("AssignedProject", z.object(shape));

const installersView = (row: AssignedRow) => ({
  project_id: row.id,
  name: row.name,
  site_address: row.site_address,
  charge_points_expected: row.charge_points_expected,
  charge_points_commissioned: row.commissioned,
  status: row.status,
  assigned_at: isoSeconds(row.assigned_at),
});

/** What an installer sees of the projects they are assigned to. */
export function installerProjectRoutes({ orm }: { orm: MikroORM }): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/installer/projects",
      operationId: "listInstallerProjects",
      summary: "List the projects you are assigned to, latest assignment first",
      tag: "Installer",
      access: { kind: "installer" },
      rateLimit: "read",
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of projects; empty when there are none",
          schema: z.object({ projects: z.array(assignedProject), ...pageAnswer }),
          example: {
            projects: [
              {
                project_id: "proj_01hx5t6u7v8w",
                name: "Riverside Business Park — Phase 1",
                site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
                charge_points_expected: 6,
                charge_points_commissioned: 0,
                status: "in_progress",
                assigned_at: "2026-04-28T08:00:00Z",
              },
            ],
            next_cursor: null,
            has_more: false,
          },
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sqlOf(orm.em.fork()).query<AssignedRow>(
          `select ${COLUMNS} from project_installers a join projects p on p.id = a.project_id
           where a.installer_id = $1 and ($2::timestamptz is null or (a.assigned_at, p.id) < ($2::timestamptz, $3::text))
           order by a.assigned_at desc, p.id desc limit $4`,
          [caller.installerId, time ?? null, id ?? null, query.limit + 1],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.assigned_at_text, row.id]);
        return { status: 200, body: { projects: page.map(installersView), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/installer/projects/{project_id}",
      operationId: "getInstallerProject",
      summary: "One project you are assigned to",
      tag: "Installer",
      access: { kind: "installer" },
      rateLimit: "read",
      params: z.strictObject({ project_id: z.string() }),
      responses: {
        200: {
          description: "The project",
          schema: z.object({
            ...shape,
            charge_points_registered: z.number().int(),
            handed_over_at: isoTime().nullable(),
          }),
        },
      },
      problems: ["project_not_found"],
      async handle({ caller, params }) {
        const [row] = await sqlOf(orm.em.fork()).query<AssignedRow>(
          `select ${COLUMNS} from project_installers a join projects p on p.id = a.project_id where a.installer_id = $1 and p.id = $2`,
          [caller.installerId, params.project_id],
        );
        if (row === undefined) throw notAssigned(params.project_id);
        const handed_over_at = row.handed_over_at === null ? null : isoSeconds(row.handed_over_at);
        return {
          status: 200,
          body: { ...installersView(row), charge_points_registered: row.registered, handed_over_at },
        };
      },
    }),
  ];
}
