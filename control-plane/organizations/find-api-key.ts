import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Sql } from "../database.ts";
import { SCOPES, type Scope } from "../http/route.ts";
import { hashApiKey, isWellFormedApiKey } from "./api-key.ts";

export interface FoundApiKey {
  keyId: string;
  orgId: string;
  scopes: Scope[];
}

/** `last_used_at` is for people who clean up keys: a minute is exact enough, and a busy key must not write with every request. */
const LAST_USED_GRAIN_SECONDS = 60;

/** Looks a key up by its hash. Unknown, revoked and expired ones are the same to the caller. Rejects when Postgres is away. */
export async function findApiKey(sql: Sql, key: string): Promise<Result<FoundApiKey, "invalid">> {
  if (!isWellFormedApiKey(key)) return err("invalid");
  const [row] = await sql.query<{ id: string; org_id: string; scopes: string[]; stale: boolean }>(
    `select id, org_id, scopes, last_used_at is null or last_used_at < now() - make_interval(secs => $2) as stale
     from api_keys where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
    [hashApiKey(key), LAST_USED_GRAIN_SECONDS],
  );
  if (row === undefined) return err("invalid");
  if (row.stale)
    await sql.query(
      `update api_keys set last_used_at = now() where id = $1 and (last_used_at is null or last_used_at < now() - make_interval(secs => $2))`,
      [row.id, LAST_USED_GRAIN_SECONDS],
    );
  return ok({ keyId: row.id, orgId: row.org_id, scopes: SCOPES.filter((scope) => row.scopes.includes(scope)) });
}
