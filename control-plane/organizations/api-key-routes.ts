import type { MikroORM } from "@mikro-orm/postgresql";
import { z } from "zod";
import { sqlOf } from "../database.ts";
import { givenTime, isoTime, oneLine, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route, SCOPES } from "../http/route.ts";
import { createApiKey } from "./create-api-key.ts";

const scopes = z.enum(SCOPES);
const keyShape = {
  id: z.string(),
  name: z.string(),
  scopes: z.array(scopes),
  created_at: isoTime(),
  expires_at: isoTime().nullable(),
};

const listedKey = named("ApiKey", z.object({ ...keyShape, last4: z.string(), last_used_at: isoTime().nullable() }));

interface KeyRow {
  id: string;
  name: string;
  key_last4: string;
  scopes: string[];
  created_at: Date;
  created_at_text: string;
  expires_at: Date | null;
  last_used_at: Date | null;
  total: number;
}

/** An organisation's API keys. A key can give out no scope that it does not have itself. */
export function apiKeyRoutes({ orm }: { orm: MikroORM }): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/org/api-keys",
      operationId: "createApiKey",
      summary: "Create an API key; its value is shown once",
      tag: "Organisation",
      access: { kind: "organization", scope: "write:api_keys" },
      rateLimit: "write",
      idempotent: true,
      body: z.strictObject({
        name: oneLine(100),
        scopes: z.array(scopes).min(1).max(SCOPES.length),
        expires_at: givenTime().optional(),
      }),
      bodyExample: { name: "Fleet dashboard", scopes: ["read:charge_points"], expires_at: "2027-01-01T00:00:00Z" },
      responses: {
        201: {
          description: "The key",
          headers: ["Location"],
          schema: z.object({ ...keyShape, key: z.string().describe("dyn_live_…, shown only here") }),
        },
      },
      problems: ["missing_scope"],
      async handle({ caller, body }) {
        const missing = body.scopes.filter((scope) => !caller.scopes.includes(scope));
        if (missing.length > 0)
          throw new ProblemError("missing_scope", `Your own key does not have ${missing.join(", ")}.`, {
            remedy: "A key can only give out scopes that it has.",
          });
        const expiresAt = body.expires_at === undefined ? undefined : new Date(body.expires_at);
        if (expiresAt !== undefined && expiresAt <= new Date()) {
          const detail = "lies in the past";
          throw new ProblemError("validation_failed", `/expires_at: ${detail}`, {
            errors: [{ pointer: "/expires_at", code: "out_of_range", detail }],
          });
        }
        const unique = [...new Set(body.scopes)];
        const created = await createApiKey(orm.em.fork(), {
          orgId: caller.orgId,
          name: body.name,
          scopes: unique,
          expiresAt,
        });
        return {
          status: 201,
          headers: { location: `/api/v1/org/api-keys/${created.id}`, "cache-control": "no-store" },
          body: {
            id: created.id,
            name: body.name,
            key: created.key,
            scopes: unique,
            created_at: isoSeconds(created.createdAt),
            expires_at: expiresAt === undefined ? null : isoSeconds(expiresAt),
          },
        };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/org/api-keys",
      operationId: "listApiKeys",
      summary: "List the organisation's API keys",
      tag: "Organisation",
      access: { kind: "organization", scope: "read:api_keys" },
      rateLimit: "read",
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "Keys that are not revoked, newest first",
          schema: z.object({
            keys: z.array(listedKey),
            total: z.number().int(),
            ...pageAnswer,
          }),
        },
      },
      async handle({ caller, query }) {
        const [time, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await sqlOf(orm.em.fork()).query<KeyRow>(
          `select *, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as created_at_text,
                  (select count(*)::int from api_keys where org_id = $1 and revoked_at is null) as total
           from api_keys
           where org_id = $1 and revoked_at is null and ($2::timestamptz is null or (created_at, id) < ($2::timestamptz, $3::text))
           order by created_at desc, id desc limit $4`,
          [caller.orgId, time ?? null, id ?? null, query.limit + 1],
        );
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.created_at_text, row.id]);
        const keys = page.map((row) => ({
          id: row.id,
          name: row.name,
          last4: row.key_last4,
          scopes: row.scopes,
          created_at: isoSeconds(row.created_at),
          last_used_at: row.last_used_at && isoSeconds(row.last_used_at),
          expires_at: row.expires_at && isoSeconds(row.expires_at),
        }));
        return { status: 200, body: { keys, total: rows[0]?.total ?? 0, ...paging } };
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/org/api-keys/{key_id}",
      operationId: "revokeApiKey",
      summary: "Revoke an API key at once",
      tag: "Organisation",
      access: { kind: "organization", scope: "write:api_keys" },
      rateLimit: "write",
      params: z.strictObject({ key_id: z.string() }),
      responses: { 204: { description: "The key is refused from now on" } },
      problems: ["not_found"],
      async handle({ caller, params }) {
        const rows = await sqlOf(orm.em.fork()).query(
          `update api_keys set revoked_at = coalesce(revoked_at, now()) where id = $1 and org_id = $2 returning id`,
          [params.key_id, caller.orgId],
        );
        if (rows.length === 0) throw new ProblemError("not_found", "There is no such API key.");
        return { status: 204 };
      },
    }),
  ];
}
