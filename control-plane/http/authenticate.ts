import type { Sql } from "../database.ts";
import type { AccessTokens } from "../installers/access-token.ts";
import { type EndedBy, sessionOf } from "../installers/session-of.ts";
import { findApiKey } from "../organizations/find-api-key.ts";
import { ProblemError, type ProblemName } from "./problems.ts";
import type { Access, Caller } from "./route.ts";

export interface AuthenticateDeps {
  sql: Sql;
  accessTokens: AccessTokens;
}

export interface Credentials {
  authorization: string | undefined;
  apiKey: string | undefined;
}

/** RFC 6750 §3: tells a client whether its token is bad or merely missing. */
const challenge = (detail?: string) => ({
  "www-authenticate": `Bearer realm="dynamo-csms"${detail === undefined ? "" : `, error="invalid_token", error_description="${detail}"`}`,
});

const refuse = (problem: ProblemName, detail: string, description?: string): never => {
  throw new ProblemError(problem, detail, { headers: challenge(description) });
};

/**
 * Who is calling, checked against what the route demands. Throws ProblemError (401, 403).
 * On public routes credentials are optional, and bad ones are left to the route.
 */
export async function authenticate(deps: AuthenticateDeps, access: Access, credentials: Credentials): Promise<Caller> {
  if (access.kind === "public") return identify(deps, credentials).catch(forgiveProblems);
  const caller = await identify(deps, credentials);
  if (caller.kind === "public") return refuse("unauthenticated", "This endpoint needs credentials.");
  if (caller.kind !== access.kind)
    throw new ProblemError(
      "wrong_caller",
      access.kind === "installer" ? "This endpoint is for installers." : "This endpoint is for organisations.",
    );
  if (access.kind === "organization" && caller.kind === "organization" && !caller.scopes.includes(access.scope))
    throw new ProblemError("missing_scope", `The API key lacks the scope ${access.scope}.`, {
      members: { required_scope: access.scope },
    });
  return caller;
}

function forgiveProblems(fault: unknown): Caller {
  if (fault instanceof ProblemError) return { kind: "public", refused: fault };
  throw fault;
}

async function identify(deps: AuthenticateDeps, { authorization, apiKey }: Credentials): Promise<Caller> {
  if (apiKey !== undefined) return byApiKey(deps, apiKey);
  if (authorization === undefined) return { kind: "public" };
  const token = /^Bearer +([\w~+/.=-]{1,8192})$/i.exec(authorization)?.[1];
  if (token === undefined)
    return refuse("invalid_token", "The Authorization header is not `Bearer` and a token.", "malformed");
  return token.startsWith("dyn_") ? byApiKey(deps, token) : byAccessToken(deps, token);
}

async function byApiKey({ sql }: AuthenticateDeps, key: string): Promise<Caller> {
  const found = await findApiKey(sql, key);
  if (!found.ok) return refuse("invalid_api_key", "The API key is unknown, revoked or expired.", "unknown key");
  return { kind: "organization", ...found.value };
}

const ENDED_BY: Record<EndedBy, string> = {
  "log-out": "a log-out",
  "new-password": "a new password",
  closing: "the closing of the account",
};

async function byAccessToken({ sql, accessTokens }: AuthenticateDeps, token: string): Promise<Caller> {
  const verified = await accessTokens.verify(token);
  if (!verified.ok)
    return verified.error === "expired"
      ? refuse("expired_token", "The access token's hour is over.", "expired")
      : refuse("invalid_token", "The access token was not issued here or was changed.", "not valid");
  const session = await sessionOf(sql, verified.value);
  if (!session.ok)
    return session.error === "no-account"
      ? refuse("invalid_token", "The access token belongs to no account.", "not valid")
      : refuse("session_ended", `This session was ended by ${ENDED_BY[session.error]}.`, "revoked");
  const { installerId, tokenId, expiresAt } = verified.value;
  return { kind: "installer", installerId, tokenId, tokenExpiresAt: expiresAt };
}
