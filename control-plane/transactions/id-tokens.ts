import type { Sql } from "../database.ts";
import type { TokenStatus } from "./token-status.ts";

export const TOKEN_STATUSES = [
  "Accepted",
  "Blocked",
  "Expired",
  "Invalid",
] as const satisfies readonly TokenStatus["status"][];

/** An idTag (1.6) or idToken (2.x) of an organisation, as the administrator sees it. */
export interface IdToken {
  /** Case-folded. */
  token: string;
  status: TokenStatus["status"];
  /** Accepted only until then. */
  expiresAt: Date | null;
  /** Tokens of one group may stop each other's transactions (1.6 parentIdTag, 2.x groupIdToken). */
  groupToken: string | null;
}

/**
 * Adds a token to an organisation, or changes the one it has: what is not given is none then. The gateways' cache is not
 * touched here: see forgetCachedToken. @returns whether it is new.
 */
export async function putIdToken(sql: Sql, orgId: string, token: IdToken): Promise<boolean> {
  const [row] = await sql.query<{ added: boolean }>(
    `insert into id_tokens (org_id, token, status, expires_at, group_token) values ($1, $2, $3, $4, $5)
     on conflict (org_id, token) do update set status = excluded.status, expires_at = excluded.expires_at, group_token = excluded.group_token
     returning xmax = 0 as added`,
    [orgId, token.token, token.status, token.expiresAt, token.groupToken],
  );
  return row?.added === true;
}

/** One page of an organisation's tokens in their order. @param after the last token seen; "" for the first page. */
export async function listIdTokens(sql: Sql, orgId: string, after: string, limit: number): Promise<IdToken[]> {
  return sql.query<IdToken>(
    `select token, status, expires_at as "expiresAt", group_token as "groupToken" from id_tokens
     where org_id = $1 and token > $2 order by token limit $3`,
    [orgId, after, limit],
  );
}
