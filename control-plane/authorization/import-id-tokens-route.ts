import { z } from "zod";
import type { FieldError } from "../http/problems.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { forgetQuietly, type IdTokenDeps } from "./id-token-routes.ts";
import { entryOf, idTokenEntry } from "./id-token-view.ts";
import { putIdTokens } from "./id-tokens.ts";
import { foldToken } from "./token-status.ts";

/** With notes and all they fit into a body of 1 MiB. */
const MAX_TOKENS = 2_000;

/** Many tokens at once, all of them or none. */
export function importIdTokensRoute(deps: IdTokenDeps): Route {
  return defineRoute({
    method: "post",
    path: "/api/v1/id-tokens/import",
    operationId: "importIdTokens",
    summary: "Add or replace many tokens at once",
    description:
      "All of them or, when one has a mistake, none. A token that the organisation has already is replaced: what is left out has its default then. Larger lists are sent in parts.",
    tag: "Id tokens",
    access: { kind: "organization", scope: "write:id_tokens" },
    rateLimit: "write",
    idempotent: true,
    body: z.strictObject({ id_tokens: z.array(idTokenEntry).min(1).max(MAX_TOKENS) }),
    bodyExample: {
      id_tokens: [
        { id_token: "04A2B3C4D5E680", group_id_token: "fleet-7" },
        { id_token: "04A2B3C4D5E681", group_id_token: "fleet-7", max_active_transactions: null },
      ],
    },
    responses: {
      200: {
        description: "What became of each, in the order of the request",
        schema: z.object({
          created: z.number().int(),
          replaced: z.number().int(),
          results: z.array(
            z.object({ id_token: z.string(), token_id: z.string(), outcome: z.enum(["created", "replaced"]) }),
          ),
        }),
        example: {
          created: 1,
          replaced: 1,
          results: [
            { id_token: "04A2B3C4D5E680", token_id: "tok_01hxab1c2d3e4f5g", outcome: "replaced" },
            { id_token: "04A2B3C4D5E681", token_id: "tok_01hxab1c2d3e4f5h", outcome: "created" },
          ],
        },
      },
    },
    async handle({ caller, body }) {
      refuseRepeated(body.id_tokens.map((entry) => foldToken(entry.id_token)));
      // One statement: all of it or nothing.
      const stored = await putIdTokens(deps.sql, caller.orgId, body.id_tokens.map(entryOf));
      await forgetQuietly(
        deps,
        caller.orgId,
        stored.filter(({ added }) => !added),
      );
      const byToken = new Map(stored.map((token) => [foldToken(token.token), token]));
      const results = body.id_tokens.flatMap(({ id_token }) => {
        const token = byToken.get(foldToken(id_token));
        return token === undefined
          ? []
          : [{ id_token, token_id: token.id, outcome: token.added ? ("created" as const) : ("replaced" as const) }];
      });
      const created = stored.filter(({ added }) => added).length;
      return { status: 200, body: { created, replaced: stored.length - created, results } };
    },
  });
}

function refuseRepeated(tokens: readonly string[]): void {
  const firstAt = new Map<string, number>();
  const errors: FieldError[] = [];
  for (const [place, token] of tokens.entries()) {
    const first = firstAt.get(token);
    if (first === undefined) firstAt.set(token, place);
    else if (errors.length < 50)
      errors.push({
        pointer: `/id_tokens/${place}/id_token`,
        code: "repeated",
        detail: `the same token as /id_tokens/${first}`,
      });
  }
  if (errors.length > 0) throw new ProblemError("validation_failed", "A token stands in the list twice.", { errors });
}
