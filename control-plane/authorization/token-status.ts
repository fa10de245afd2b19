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

/** A token of an organisation. */
export interface AskedToken {
  orgId: string;
  token: string;
}

interface StatusRow {
  place: string;
  status: StoredStatus;
  expires_at: Date | null;
  expired: boolean;
  group_token: string | null;
  max_active_transactions: number | null;
  revision: string;
}

/** The status of a token of the organisation. */
export async function readTokenStatus(sql: Sql, orgId: string, token: string): Promise<TokenStatus> {
  const [status] = await readTokenStatuses(sql, [{ orgId, token }]);
  return status as TokenStatus;
}

/**
 * The status of each of these tokens, in their order; the same one may be asked for more than once.
 * @param lock "for update": nobody else judges a start with one of them until the transaction ends.
 */
export async function readTokenStatuses(
  sql: Sql,
  asked: readonly AskedToken[],
  lock?: "for update",
): Promise<TokenStatus[]> {
  const statuses: TokenStatus[] = asked.map(() => ({ ...NOTHING_KNOWN }));
  if (asked.length === 0) return statuses;
  // Locked in the order of their keys, so that two who want several of them do not wait for each other.
  const rows = await sql.query<StatusRow>(
    `select a.place, status, expires_at, coalesce(expires_at <= now(), false) as expired, ${SPELLED_GROUP} as group_token,
            max_active_transactions, (extract(epoch from changed_at) * 1000000)::bigint::text as revision
     from unnest($1::text[], $2::text[]) with ordinality as a (org_id, token, place)
     join id_tokens on id_tokens.org_id = a.org_id and id_tokens.token = a.token
     ${lock === undefined ? "" : "order by id_tokens.org_id, id_tokens.token for no key update of id_tokens"}`,
    [asked.map(({ orgId }) => orgId), asked.map(({ token }) => foldToken(token))],
  );
  for (const row of rows)
    statuses[Number(row.place) - 1] = {
      status: row.status === "Accepted" && row.expired ? "Expired" : row.status,
      known: true,
      expiresAt: row.expires_at,
      groupToken: row.group_token,
      maxActiveTransactions: row.max_active_transactions,
      revision: Number(row.revision),
    };
  return statuses;
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
