import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";

/** What an organisation says of a token for good. */
export type StoredStatus = "Accepted" | "Blocked" | "Expired" | "Invalid";

/** What we know of an idTag (1.6) or idToken (2.x). */
export interface TokenStatus {
  /** ConcurrentTx: in order, but as many transactions of it run as it may have (judge-start.ts alone says that). */
  status: StoredStatus | "ConcurrentTx";
  /** False: the organisation has no such token; the status is Invalid then. */
  known: boolean;
  expiresAt: Date | null;
  /** As it is spelled: there are stations that tell groups apart by case. */
  groupToken: string | null;
  /** How many transactions of it may run at once; null: any number. */
  maxActiveTransactions: number | null;
  /** Grows with each change of the token, in µs since 1970; 0: unknown. */
  revision: number;
}

/** As the table has it: tokens are case-insensitive (C16 CiString; P2 IdTokenType). */
export const foldToken = (token: string): string => storableText(token).toLowerCase();

/** SQL: a token as its organisation spelled it, which is what stations and people are told. */
export const SPELLED_TOKEN = "coalesce(id_tokens.spelling, id_tokens.token)";

/** SQL, the same of its group. A release that knows no spellings changes group_token alone: then that is the newer word. */
export const SPELLED_GROUP =
  "case when lower(id_tokens.group_spelling) = lower(id_tokens.group_token) then id_tokens.group_spelling else id_tokens.group_token end";

/**
 * The status of a token of the organisation.
 * @param lock "for update": nobody else judges a start with this token until the transaction ends.
 */
export async function readTokenStatus(
  sql: Sql,
  orgId: string,
  token: string,
  lock?: "for update",
): Promise<TokenStatus> {
  const [row] = await sql.query<{
    status: StoredStatus;
    expires_at: Date | null;
    expired: boolean;
    group_token: string | null;
    max_active_transactions: number | null;
    revision: string;
  }>(
    `select status, expires_at, coalesce(expires_at <= now(), false) as expired, ${SPELLED_GROUP} as group_token, max_active_transactions,
            (extract(epoch from changed_at) * 1000000)::bigint::text as revision
     from id_tokens where org_id = $1 and token = $2 ${lock === undefined ? "" : "for no key update"}`,
    [orgId, foldToken(token)],
  );
  if (row === undefined) return { ...NOTHING_KNOWN };
  return {
    status: row.status === "Accepted" && row.expired ? "Expired" : row.status,
    known: true,
    expiresAt: row.expires_at,
    groupToken: row.group_token,
    maxActiveTransactions: row.max_active_transactions,
    revision: Number(row.revision),
  };
}

const NOTHING_KNOWN = {
  status: "Invalid",
  known: false,
  expiresAt: null,
  groupToken: null,
  maxActiveTransactions: null,
  revision: 0,
} as const satisfies TokenStatus;

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
