import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";

/** What we know of an idTag (1.6) or idToken (2.x). */
export interface TokenStatus {
  status: "Accepted" | "Blocked" | "Expired" | "Invalid";
  /** False: the organisation has no such token; the status is Invalid then. */
  known: boolean;
  expiresAt: Date | null;
  groupToken: string | null;
}

/** The status of a token of the organisation; tokens are case-insensitive (C16 IdToken; P2 IdTokenType). */
export async function readTokenStatus(sql: Sql, orgId: string, token: string): Promise<TokenStatus> {
  const [row] = await sql.query<{
    status: TokenStatus["status"];
    expires_at: Date | null;
    expired: boolean;
    group_token: string | null;
  }>(
    `select status, expires_at, coalesce(expires_at <= now(), false) as expired, group_token from id_tokens where org_id = $1 and token = $2`,
    [orgId, storableText(token).toLowerCase()],
  );
  if (row === undefined) return { status: "Invalid", known: false, expiresAt: null, groupToken: null };
  const status = row.status === "Accepted" && row.expired ? "Expired" : row.status;
  return { status, known: true, expiresAt: row.expires_at, groupToken: row.group_token };
}

/** idTagInfo of 1.6 (C16 §7.8): a parentIdTag is at most 20 characters. */
export function idTagInfo({ status, expiresAt, groupToken }: TokenStatus) {
  return {
    ...(expiresAt === null ? {} : { expiryDate: expiresAt.toISOString() }),
    ...(groupToken === null || groupToken.length > 20 ? {} : { parentIdTag: groupToken }),
    status,
  };
}

/** idTokenInfo of 2.x (P2 IdTokenInfoType), which tells unknown tokens from invalid ones. */
export function idTokenInfo({ status, known, expiresAt, groupToken }: TokenStatus) {
  return {
    status: known ? status : ("Unknown" as const),
    ...(expiresAt === null ? {} : { cacheExpiryDateTime: expiresAt.toISOString() }),
    ...(groupToken === null || groupToken.length > 36
      ? {}
      : { groupIdToken: { idToken: groupToken, type: "Central" as const } }),
  };
}
