import { z } from "zod";
import { defineRoute, type Route } from "../http/route.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** The public keys of the access tokens, for other services that want to check them. */
export function jwksRoute(keys: SigningKeys): Route {
  return defineRoute({
    method: "get",
    path: "/.well-known/jwks.json",
    operationId: "getJwks",
    summary: "Public keys of the access tokens (RS256)",
    description: "Old and new keys stand here together while keys are changed.",
    tag: "Reference",
    access: { kind: "public" },
    rateLimit: "read",
    responses: {
      200: {
        description: "A JSON Web Key Set",
        schema: z.object({
          keys: z.array(
            z.object({
              kty: z.string(),
              kid: z.string(),
              use: z.literal("sig"),
              alg: z.literal("RS256"),
              n: z.string(),
              e: z.string(),
            }),
          ),
        }),
      },
    },
    handle: async () => ({ status: 200, headers: { "cache-control": "public, max-age=300" }, body: keys.jwks }),
  });
}
