import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import type { MikroORM } from "@mikro-orm/postgresql";
import { sqlOf, type Sql } from "../database.ts";
import type { RateLimits } from "../http/rate-limits.ts";
import { ACCESS_TOKEN_SECONDS, type AccessTokens } from "./access-token.ts";
import { emailKey } from "../http/email-address.ts";
import type { Passwords } from "./password.ts";
import { findByAddress } from "./sign-ups-of-address.ts";

export interface LogInDeps {
  orm: MikroORM;
  passwords: Passwords;
  accessTokens: AccessTokens;
  rateLimits: RateLimits;
}

export interface LoggedIn {
  access_token: string;
  token_type: "Bearer";
  expires_in: number;
  installer_id: string;
}

type Refusal =
  | { kind: "wrong" }
  | { kind: "not-verified" }
  | { kind: "disabled" }
  | { kind: "too-often"; retryAfterSeconds: number; headers: Record<string, string> };

/**
 * Exchanges credentials for an access token. An unknown address and a wrong password are the same answer, in the same
 * time; that an account exists but is not verified or disabled is told only to who knows its password.
 */
export async function logIn(
  deps: LogInDeps,
  email: string,
  password: string,
  remoteAddress: string,
): Promise<Result<LoggedIn, Refusal>> {
  const key = emailKey(email);
  const { allowed, ...wait } = await deps.rateLimits.attempt("loginAccount", `${key}|${sourceOf(remoteAddress)}`);
  if (!allowed) return err({ kind: "too-often", ...wait });
  const em = deps.orm.em.fork();
  const installer = await findByAddress(em, key);
  if (!(await deps.passwords.matches(installer?.passwordHash, password)) || installer === null)
    return err({ kind: "wrong" });
  if (installer.status === "pending_verification") return err({ kind: "not-verified" });
  if (installer.status === "disabled") return err({ kind: "disabled" });
  if (deps.passwords.isOutdated(installer.passwordHash)) {
    installer.passwordHash = await deps.passwords.hash(password);
    await em.flush();
  }
  const access_token = await deps.accessTokens.issue(installer.id, installer.passwordChangedAt);
  return ok({ access_token, token_type: "Bearer", expires_in: ACCESS_TOKEN_SECONDS, installer_id: installer.id });
}

/** Ends one access token before its time. Twice is once. */
export async function logOut({ orm }: { orm: MikroORM }, tokenId: string, expiresAt: Date): Promise<void> {
  const sql: Sql = sqlOf(orm.em.fork());
  await sql.query(`insert into revoked_access_tokens (jti, expires_at) values ($1, $2) on conflict (jti) do nothing`, [
    tokenId,
    expiresAt,
  ]);
}
