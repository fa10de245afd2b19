import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { z } from "zod";
import type { Sql } from "../database.ts";
import { emailAddress, isoTime, oneLine } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { requestErasure } from "./erasures.ts";

const erasure = z.strictObject({
  erasure_id: z.string(),
  kind: z.enum(["id_token", "email"]),
  status: z.enum(["pending", "done"]),
  requested_at: isoTime(),
  finished_at: isoTime().nullable(),
  pseudonym: z.string().describe("stands where the token stood: sessions of one person still belong together"),
  rows_changed: z.record(z.string(), z.number()).nullable().describe("by table"),
});

interface Row {
  id: string;
  kind: "id_token" | "email";
  pseudonym: string;
  requested_at: Date;
  finished_at: Date | null;
  counts: Record<string, number> | null;
}

const EXAMPLE = {
  erasure_id: "era_01hxm5n6p7q8r9s0",
  kind: "id_token" as const,
  status: "pending" as const,
  requested_at: "2026-05-01T10:23:00.120Z",
  finished_at: null,
  pseudonym: "erased-k3v9x2m7qa",
  rows_changed: null,
};

const TAG = "Personal data";
const access = { kind: "organization", scope: "write:personal_data" } as const;

/** A person's right to be forgotten, as far as it reaches here. */
export function erasureRoutes({ sql, secretsKey }: { sql: Sql; secretsKey: SecretsKey }): Route[] {
  const find = async (orgId: string, id: string) => {
    const [row] = await sql.query<Row>(
      `select id, kind, pseudonym, requested_at, finished_at, counts from erasures where id = $1 and org_id = $2`,
      [id, orgId],
    );
    if (row === undefined) throw new ProblemError("not_found", `There is no erasure ${id}.`);
    return answerOf(row);
  };
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/personal-data/erasures",
      operationId: "erasePersonalData",
      summary: "Forget a person: a token, or a site owner's or contact's e-mail address",
      description:
        "A token is deleted, and a pseudonym takes its place in sessions, events, commands and the message log; energy and times stay. An address goes with the names beside it. What was signed (meter values, handover certificates) stays as it was signed. It is carried out within minutes; the address of the answer tells when it is done.",
      tag: TAG,
      access,
      rateLimit: "write",
      idempotent: true,
      body: z.union([z.strictObject({ id_token: oneLine(255) }), z.strictObject({ email: emailAddress() })]),
      bodyExample: { id_token: "04A2B3C4D5E680" },
      responses: {
        202: { description: "It will be carried out", schema: erasure, headers: ["Location"], example: EXAMPLE },
      },
      async handle({ caller, body }) {
        const id = await requestErasure(sql, secretsKey, {
          orgId: caller.orgId,
          requestedBy: caller.keyId,
          ...("email" in body
            ? { kind: "email", subject: body.email }
            : { kind: "id_token", subject: body.id_token.trim() }),
        });
        return {
          status: 202,
          body: await find(caller.orgId, id),
          headers: { location: `/api/v1/personal-data/erasures/${id}` },
        };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/personal-data/erasures/{erasure_id}",
      operationId: "getErasure",
      summary: "Whether an erasure is done, and what it changed",
      tag: TAG,
      access,
      rateLimit: "read",
      params: z.strictObject({ erasure_id: z.string() }),
      responses: { 200: { description: "The erasure", schema: erasure, example: EXAMPLE } },
      problems: ["not_found"],
      async handle({ caller, params }) {
        return { status: 200, body: await find(caller.orgId, params.erasure_id) };
      },
    }),
  ];
}

const answerOf = (row: Row): z.input<typeof erasure> => ({
  erasure_id: row.id,
  kind: row.kind,
  status: row.finished_at === null ? "pending" : "done",
  requested_at: isoMillis(row.requested_at),
  finished_at: row.finished_at && isoMillis(row.finished_at),
  pseudonym: row.pseudonym,
  rows_changed: row.counts,
});
