import type { Sql } from "../database.ts";
import type { AccessTokenClaims } from "./access-token.ts";

/**
 * True when the token's installer may still use it: active, not logged out, the password unchanged since.
 * Rejects when Postgres is away.
 */
export async function tokenStillGood(sql: Sql, claims: AccessTokenClaims): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from installers i
     where i.id = $1 and i.status = 'active'
       and floor(extract(epoch from i.password_changed_at) * 1000)::bigint = $2
       and not exists (select 1 from revoked_access_tokens r where r.jti = $3)`,
    [claims.installerId, claims.passwordSetAtMs, claims.tokenId],
  );
  return rows.length === 1;
}
