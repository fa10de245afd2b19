import { LockMode, type MikroORM } from "@mikro-orm/postgresql";
import { z } from "zod";
import { sqlOf } from "../database.ts";
import { emailAddress, isoTime, lines, oneLine, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { newId } from "../ids.ts";
import { ProjectEntity } from "./project.entity.ts";
import { noSuchProject } from "./project-problems.ts";
import { findOrgProject, operatorsView, PROJECT_COLUMNS, type ProjectRow } from "./project-summary.ts";

const TAG = "Projects";
const projectId = z.strictObject({ project_id: z.string() });
const siteOwner = z.strictObject({ name: oneLine(200), email: emailAddress() });
const fields = {
  name: oneLine(200),
  site_address: oneLine(500),
  charge_points_expected: z.number().int().min(0).max(100_000),
};
const shape = {
  project_id: z.string(),
  name: z.string(),
  site_address: z.string(),
  charge_points_expected: z.number().int(),
  charge_points_registered: z.number().int(),
  charge_points_commissioned: z.number().int(),
  status: z.enum(["in_progress", "handed_over"]),
  site_owner: z.object({ name: z.string().nullable(), email: z.string().nullable() }).nullable(),
  handed_over_at: isoTime().nullable(),
  created_at: isoTime(),
};
const project = named("Project", z.object(shape));
const assigned = z.object({
  installer_id: z.string(),
  full_name: z.string(),
  company: z.string(),
  assigned_at: isoTime(),
});
const projectWithInstallers = named("ProjectWithInstallers", z.object({ ...shape, installers: z.array(assigned) }));
const EXAMPLE = {
  project_id: "proj_01hx5t6u7v8w",
  name: "Riverside Business Park — Phase 1",
  site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
  charge_points_expected: 6,
  charge_points_registered: 0,
  charge_points_commissioned: 0,
  status: "in_progress",
  site_owner: { name: "Sarah Owen", email: "s.owen@riversidebp.co.uk" },
  handed_over_at: null,
  created_at: "2026-04-27T16:00:00Z",
};

/** What a charge point operator does with its projects. */
export function operatorProjectRoutes({ orm }: { orm: MikroORM }): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/projects",
      operationId: "createProject",
      summary: "Create a project that installers can be assigned to",
      tag: TAG,
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      idempotent: true,
      body: z.strictObject({
        ...fields,
        site_owner: siteOwner.optional().describe("gets a mail with the certificate at the handover"),
      }),
      bodyExample: {
        name: "Riverside Business Park — Phase 1",
        site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
        charge_points_expected: 6,
        site_owner: { name: "Sarah Owen", email: "s.owen@riversidebp.co.uk" },
      },
      responses: { 201: { description: "The project", schema: project, headers: ["Location"], example: EXAMPLE } },
      async handle({ caller, body }) {
        const em = orm.em.fork();
        const id = newId("proj");
        await em.insert(ProjectEntity, {
          id,
          orgId: caller.orgId,
          name: body.name,
          siteAddress: body.site_address,
          chargePointsExpected: body.charge_points_expected,
          siteOwnerName: body.site_owner?.name ?? null,
          siteOwnerEmail: body.site_owner?.email ?? null,
          status: "in_progress",
          createdAt: new Date(),
        });
        const row = await findOrgProject(sqlOf(em), caller.orgId, id);
        if (row === undefined) throw new Error(`project ${id} vanished`);
        return { status: 201, headers: { location: `/api/v1/projects/${id}` }, body: operatorsView(row) };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/projects",
      operationId: "listProjects",
      summary: "List the organisation's projects, newest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:projects" },
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        status: shape.status.optional(),
        installer_id: z.string().max(64).optional(),
      }),
      responses: {
        200: {
          description: "A page of projects",
          schema: z.object({ projects: z.array(project), ...pageAnswer }),
          example: { projects: [EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sqlOf(orm.em.fork()).query<ProjectRow>(
          `select ${PROJECT_COLUMNS} from projects p
           where p.org_id = $1 and ($2::timestamptz is null or (p.created_at, p.id) < ($2::timestamptz, $3::text))
             and ($4::text is null or p.status = $4::text)
             and ($5::text is null or exists (select 1 from project_installers i where i.project_id = p.id and i.installer_id = $5::text))
           order by p.created_at desc, p.id desc limit $6`,
          [caller.orgId, time ?? null, id ?? null, query.status ?? null, query.installer_id ?? null, query.limit + 1],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.created_at_text, row.id]);
        return { status: 200, body: { projects: page.map(operatorsView), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/projects/{project_id}",
      operationId: "getProject",
      summary: "One project, with the installers who are assigned to it",
      tag: TAG,
      access: { kind: "organization", scope: "read:projects" },
      rateLimit: "read",
      params: projectId,
      responses: { 200: { description: "The project", schema: projectWithInstallers } },
      problems: ["project_not_found"],
      async handle({ caller, params }) {
        const sql = sqlOf(orm.em.fork());
        const row = await findOrgProject(sql, caller.orgId, params.project_id);
        if (row === undefined) throw noSuchProject(params.project_id);
        const installers = await sql.query<{ id: string; full_name: string; company: string; assigned_at: Date }>(
          `select i.id, i.full_name, i.company, a.assigned_at from project_installers a join installers i on i.id = a.installer_id
           where a.project_id = $1 order by a.assigned_at, i.id`,
          [params.project_id],
        );
        const shown = installers.map(({ id, full_name, company, assigned_at }) => ({
          installer_id: id,
          full_name,
          company,
          assigned_at: isoSeconds(assigned_at),
        }));
        return { status: 200, body: { ...operatorsView(row), installers: shown } };
      },
    }),
    defineRoute({
      method: "patch",
      path: "/api/v1/projects/{project_id}",
      operationId: "updateProject",
      summary: "Change a project; what is not named stays",
      tag: TAG,
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      params: projectId,
      body: z.strictObject({
        name: fields.name.optional(),
        site_address: fields.site_address.optional(),
        charge_points_expected: fields.charge_points_expected.optional(),
        site_owner: siteOwner.nullable().optional().describe("null removes it"),
      }),
      bodyExample: { charge_points_expected: 8 },
      responses: {
        200: { description: "The project", schema: project, example: { ...EXAMPLE, charge_points_expected: 8 } },
      },
      problems: ["project_not_found"],
      async handle({ caller, params, body }) {
        const row = await orm.em.fork().transactional(async (em) => {
          const project = await em.findOne(
            ProjectEntity,
            { id: params.project_id, orgId: caller.orgId },
            { lockMode: LockMode.PESSIMISTIC_WRITE },
          );
          if (project === null) throw noSuchProject(params.project_id);
          if (body.name !== undefined) project.name = body.name;
          if (body.site_address !== undefined) project.siteAddress = body.site_address;
          if (body.charge_points_expected !== undefined) project.chargePointsExpected = body.charge_points_expected;
          if (body.site_owner !== undefined) {
            project.siteOwnerName = body.site_owner?.name ?? null;
            project.siteOwnerEmail = body.site_owner?.email ?? null;
          }
          await em.flush();
          return findOrgProject(sqlOf(em), caller.orgId, params.project_id);
        });
        if (row === undefined) throw noSuchProject(params.project_id);
        return { status: 200, body: operatorsView(row) };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/projects/{project_id}/reopen",
      operationId: "reopenProject",
      summary: "Unlock a project after a handover that was a mistake",
      description:
        "The reason is kept. The certificate of the former handover stays until the project is handed over again.",
      tag: TAG,
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      idempotent: true,
      params: projectId,
      body: z.strictObject({ reason: lines(2_000).min(1) }),
      bodyExample: { reason: "Bay 3 was replaced after the handover." },
      responses: { 200: { description: "The project, in progress again", schema: project, example: EXAMPLE } },
      problems: ["project_not_found", "conflict"],
      async handle({ caller, params, body }) {
        const row = await orm.em.fork().transactional(async (em) => {
          const project = await em.findOne(
            ProjectEntity,
            { id: params.project_id, orgId: caller.orgId },
            { lockMode: LockMode.PESSIMISTIC_WRITE },
          );
          if (project === null) throw noSuchProject(params.project_id);
          if (project.status !== "handed_over")
            throw new ProblemError("conflict", "The project is not handed over.", {
              remedy: "There is nothing to reopen.",
            });
          await sqlOf(em).query(
            `insert into project_reopenings (project_id, api_key_id, reason, handed_over_at) values ($1, $2, $3, $4)`,
            [project.id, caller.keyId, body.reason, project.handedOverAt ?? new Date()],
          );
          project.status = "in_progress";
          project.handedOverAt = null;
          await em.flush();
          return findOrgProject(sqlOf(em), caller.orgId, project.id);
        });
        if (row === undefined) throw noSuchProject(params.project_id);
        return { status: 200, body: operatorsView(row) };
      },
    }),
  ];
}
