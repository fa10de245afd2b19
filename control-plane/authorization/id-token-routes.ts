import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Logger } from "pino";
import { z } from "zod";
import type { Sql } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { forgetTokens } from "./authorization-cache.ts";
import {
  ID_TOKEN_EXAMPLE,
  entryOf,
  idToken,
  idTokenChange,
  idTokenEntry,
  idTokenView,
  tokenStatus,
} from "./id-token-view.ts";
import { addIdToken, changeIdToken, deleteIdToken, findIdToken, listIdTokens } from "./id-tokens.ts";

export interface IdTokenDeps {
  sql: Sql;
  redis: RedisConnection;
  log: Logger;
}

const TAG = "Id tokens";
const { created_at: _createdAt, changed_at: _changedAt, token_id: _id, ...BODY_EXAMPLE } = ID_TOKEN_EXAMPLE;
const params = z.strictObject({ token_id: z.string().max(64) });

/** The cards and other tokens that an organisation's charge points may authorize with, one at a time. */
export function idTokenRoutes(deps: IdTokenDeps): Route[] {
  const { sql } = deps;
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/id-tokens",
      operationId: "createIdToken",
      summary: "Add a token that charge points may authorize with",
      tag: TAG,
      access: { kind: "organization", scope: "write:id_tokens" },
      rateLimit: "write",
      idempotent: true,
      body: idTokenEntry,
      bodyExample: BODY_EXAMPLE,
      responses: {
        201: { description: "The token", schema: idToken, headers: ["Location"], example: ID_TOKEN_EXAMPLE },
      },
      problems: ["conflict"],
      async handle({ caller, body }) {
        const created = await addIdToken(sql, caller.orgId, entryOf(body));
        if (created === undefined) {
          const known = await findIdToken(sql, caller.orgId, { token: body.id_token });
          throw new ProblemError("conflict", "The organisation has this token already.", {
            remedy: "Change the token that is named with PATCH /api/v1/id-tokens/{token_id}.",
            ...(known === undefined ? {} : { members: { token_id: known.id } }),
          });
        }
        return {
          status: 201,
          headers: { location: `/api/v1/id-tokens/${created.id}` },
          body: idTokenView(created),
        };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/id-tokens",
      operationId: "listIdTokens",
      summary: "List the organisation's tokens, newest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:id_tokens" },
      rateLimit: "read",
      query: z.strictObject({
        ...pageQuery,
        status: tokenStatus.optional().describe("as it is set; a token past its expires_at keeps its status"),
        q: z.string().min(1).max(100).optional().describe("part of the token or its note"),
        group_id_token: z.string().min(1).max(36).optional(),
        id_token: z.string().min(1).max(255).optional().describe("exactly this token, in any case"),
      }),
      responses: {
        200: {
          description: "A page of tokens",
          schema: z.object({ id_tokens: z.array(idToken), ...pageAnswer }),
          example: { id_tokens: [ID_TOKEN_EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const filter = {
          status: query.status,
          q: query.q,
          groupToken: query.group_id_token,
          token: query.id_token,
        };
        const after = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listIdTokens(sql, caller.orgId, filter, query.limit + 1, after);
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.createdAtText, row.id]);
        return { status: 200, body: { id_tokens: page.map(idTokenView), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/id-tokens/{token_id}",
      operationId: "getIdToken",
      summary: "One token",
      tag: TAG,
      access: { kind: "organization", scope: "read:id_tokens" },
      rateLimit: "read",
      params,
      responses: { 200: { description: "The token", schema: idToken, example: ID_TOKEN_EXAMPLE } },
      problems: ["not_found"],
      async handle({ caller, params: { token_id } }) {
        const found = await findIdToken(sql, caller.orgId, { id: token_id });
        if (found === undefined) throw noSuchToken();
        return { status: 200, body: idTokenView(found) };
      },
    }),
    defineRoute({
      method: "patch",
      path: "/api/v1/id-tokens/{token_id}",
      operationId: "changeIdToken",
      summary: "Change a token: what is left out stays",
      description:
        "It holds from the next question of a charge point on, also where a gateway answers alone. Sessions that run go on.",
      tag: TAG,
      access: { kind: "organization", scope: "write:id_tokens" },
      rateLimit: "write",
      params,
      body: idTokenChange,
      bodyExample: { status: "Blocked", note: "reported lost on 1 May" },
      responses: { 200: { description: "The token as it is now", schema: idToken, example: ID_TOKEN_EXAMPLE } },
      problems: ["not_found"],
      async handle({ caller, params: { token_id }, body }) {
        const { expires_at, group_id_token, max_active_transactions, ...same } = body;
        const changed = await changeIdToken(sql, caller.orgId, token_id, {
          ...same,
          ...(expires_at === undefined ? {} : { expiresAt: expires_at === null ? null : new Date(expires_at) }),
          ...(group_id_token === undefined ? {} : { groupToken: group_id_token }),
          ...(max_active_transactions === undefined ? {} : { maxActiveTransactions: max_active_transactions }),
        });
        if (changed === undefined) throw noSuchToken();
        await forgetQuietly(deps, caller.orgId, [changed]);
        return { status: 200, body: idTokenView(changed) };
      },
    }),
    defineRoute({
      method: "delete",
      path: "/api/v1/id-tokens/{token_id}",
      operationId: "deleteIdToken",
      summary: "Delete a token: charge points are told that it is not known",
      description: "Its sessions stay on record, with the token.",
      tag: TAG,
      access: { kind: "organization", scope: "write:id_tokens" },
      rateLimit: "write",
      params,
      responses: { 204: { description: "Deleted" } },
      problems: ["not_found"],
      async handle({ caller, params: { token_id } }) {
        const deleted = await deleteIdToken(sql, caller.orgId, token_id);
        if (deleted === undefined) throw noSuchToken();
        await forgetQuietly(deps, caller.orgId, [deleted]);
        return { status: 204 };
      },
    }),
  ];
}

const noSuchToken = () => new ProblemError("not_found", "There is no such token.");

/**
 * Drops changed tokens from the gateways' cache. What was changed stands: without Redis gateways answer nobody, and when
 * it is back they believe an entry for AUTH_CACHE_SECONDS at the most.
 */
export async function forgetQuietly(
  { redis, log }: IdTokenDeps,
  orgId: string,
  changed: readonly { token: string; revision: number }[],
): Promise<void> {
  try {
    await forgetTokens(redis, orgId, changed);
  } catch (fault) {
    log.warn({ orgId, tokens: changed.length, error: (fault as Error).message }, "authorization cache not updated");
  }
}
