import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Sql } from "../database.ts";
import type { AccessTokenClaims } from "./access-token.ts";

export type EndedBy = "log-out" | "new-password" | "closing";

/** Whether the session that a token was issued for goes on, or what has ended it. Rejects when Postgres is away. */
export async function sessionOf(sql: Sql, claims: AccessTokenClaims): Promise<Result<void, EndedBy | "no-account">> {
  const [row] = await sql.query<{ active: boolean; same_password: boolean; logged_out: boolean }>(
    `select i.status = 'active' as active,
            floor(extract(epoch from i.password_changed_at) * 1000)::bigint = $2 as same_password,
            exists (select 1 from revoked_access_tokens r where r.jti = $3) as logged_out
     from installers i where i.id = $1`,
    [claims.installerId, claims.passwordSetAtMs, claims.tokenId],
  );
  if (row === undefined) return err("no-account");
  if (!row.active) return err("closing");
  if (!row.same_password) return err("new-password");
  return row.logged_out ? err("log-out") : ok(undefined);
}
