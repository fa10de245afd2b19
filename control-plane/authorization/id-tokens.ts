import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { foldToken, SPELLED_GROUP, SPELLED_TOKEN, type StoredStatus } from "./token-status.ts";

export const TOKEN_STATUSES = ["Accepted", "Blocked", "Expired", "Invalid"] as const satisfies readonly StoredStatus[];

/** Of a new token for which nobody says otherwise: a card is one driver's (ADR 0009). */
export const DEFAULT_MAX_ACTIVE_TRANSACTIONS = 1;

/** An idTag (1.6) or idToken (2.x) of an organisation, as it is entered. */
export interface IdTokenEntry {
  /** As it is spelled; upper and lower case are the same token. */
  token: string;
  /** IdTokenEnumType of 2.x, for local lists; tokens are told apart by their text alone. */
  type: string | null;
  status: StoredStatus;
  /** Accepted only until then. */
  expiresAt: Date | null;
  /** Tokens of one group, in any case, may stop each other's transactions (1.6 parentIdTag, 2.x groupIdToken). */
  groupToken: string | null;
  /** Null: any number. */
  maxActiveTransactions: number | null;
  note: string | null;
}

export interface IdToken extends IdTokenEntry {
  /** `tok_…` */
  id: string;
  createdAt: Date;
  changedAt: Date;
  /** As TokenStatus.revision. */
  revision: number;
  /** createdAt with all its digits, for cursors. */
  createdAtText: string;
}

const COLUMNS = `id, ${SPELLED_TOKEN} as token, type, status, expires_at as "expiresAt", ${SPELLED_GROUP} as "groupToken",
  max_active_transactions as "maxActiveTransactions", note, created_at as "createdAt", changed_at as "changedAt",
  (extract(epoch from changed_at) * 1000000)::float8 as revision,
  to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as "createdAtText"`;

/**
 * Adds tokens to an organisation, or replaces those it has. No token may be there twice. The gateways' cache is not touched
 * here: forgetTokens. @returns them in the order of their texts, and which are new.
 */
export async function putIdTokens(
  sql: Sql,
  orgId: string,
  entries: readonly IdTokenEntry[],
): Promise<(IdToken & { added: boolean })[]> {
  const inOrder = (a: { token: string }, b: { token: string }) => (foldToken(a.token) < foldToken(b.token) ? -1 : 1);
  const rows = await sql.query<IdToken & { added: boolean }>(
    `insert into id_tokens (org_id, id, token, type, status, expires_at, group_token, max_active_transactions, note, spelling, group_spelling)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::int[], $9::text[], $10::text[], $11::text[])
     on conflict (org_id, token) do update set type = excluded.type, status = excluded.status, expires_at = excluded.expires_at,
       group_token = excluded.group_token, max_active_transactions = excluded.max_active_transactions, note = excluded.note,
       spelling = excluded.spelling, group_spelling = excluded.group_spelling, changed_at = clock_timestamp()
     returning ${COLUMNS}, xmax = 0 as added`,
    [orgId, ...columnsOf(entries.toSorted(inOrder))],
  );
  return rows.toSorted(inOrder);
}

/** Adds a token; undefined: the organisation has it already. */
export async function addIdToken(sql: Sql, orgId: string, entry: IdTokenEntry): Promise<IdToken | undefined> {
  const [row] = await sql.query<IdToken>(
    `insert into id_tokens (org_id, id, token, type, status, expires_at, group_token, max_active_transactions, note, spelling, group_spelling)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::int[], $9::text[], $10::text[], $11::text[])
     on conflict (org_id, token) do nothing returning ${COLUMNS}`,
    [orgId, ...columnsOf([entry])],
  );
  return row;
}

const columnsOf = (entries: readonly IdTokenEntry[]): unknown[] => [
  entries.map(() => newId("tok")),
  entries.map((entry) => foldToken(entry.token)),
  entries.map((entry) => entry.type),
  entries.map((entry) => entry.status),
  entries.map((entry) => entry.expiresAt?.toISOString() ?? null),
  entries.map((entry) => foldIfAny(entry.groupToken)),
  entries.map((entry) => entry.maxActiveTransactions),
  entries.map((entry) => entry.note),
  entries.map((entry) => entry.token),
  entries.map((entry) => entry.groupToken),
];

const foldIfAny = (text: string | null): string | null => (text === null ? null : foldToken(text));

type IdTokenChange = { [Name in Exclude<keyof IdTokenEntry, "token">]?: IdTokenEntry[Name] | undefined };

const COLUMN_OF = {
  type: "type",
  status: "status",
  expiresAt: "expires_at",
  groupToken: "group_spelling",
  maxActiveTransactions: "max_active_transactions",
  note: "note",
} as const satisfies Record<keyof IdTokenChange, string>;

/** Changes what is given; undefined: the organisation has no such token. */
export async function changeIdToken(
  sql: Sql,
  orgId: string,
  id: string,
  change: IdTokenChange,
): Promise<IdToken | undefined> {
  const { groupToken } = change;
  const names = (Object.keys(COLUMN_OF) as (keyof IdTokenChange)[]).filter((name) => change[name] !== undefined);
  const sets = names.map((name, place) => `${COLUMN_OF[name]} = $${place + 3}`);
  const values = names.map((name) => {
    const value = change[name];
    return value instanceof Date ? value.toISOString() : (value ?? null);
  });
  if (groupToken !== undefined) sets.push(`group_token = $${values.push(foldIfAny(groupToken)) + 2}`);
  const [row] = await sql.query<IdToken>(
    `update id_tokens set ${[...sets, "changed_at = clock_timestamp()"].join(", ")}
     where org_id = $1 and id = $2 returning ${COLUMNS}`,
    [orgId, id, ...values],
  );
  return row;
}

/** @returns the token's text and a revision above all it had; undefined: the organisation has no such token. */
export async function deleteIdToken(
  sql: Sql,
  orgId: string,
  id: string,
): Promise<{ token: string; revision: number } | undefined> {
  const [row] = await sql.query<{ token: string; revision: number }>(
    `delete from id_tokens where org_id = $1 and id = $2
     returning token, (extract(epoch from clock_timestamp()) * 1000000)::bigint::float8 as revision`,
    [orgId, id],
  );
  return row;
}

/** One token by its id or its text, in any case. */
export async function findIdToken(
  sql: Sql,
  orgId: string,
  by: { id: string } | { token: string },
): Promise<IdToken | undefined> {
  const [column, value] = "id" in by ? ["id", by.id] : ["token", foldToken(by.token)];
  const [row] = await sql.query<IdToken>(`select ${COLUMNS} from id_tokens where org_id = $1 and ${column} = $2`, [
    orgId,
    value,
  ]);
  return row;
}

export interface IdTokenFilter {
  status?: StoredStatus | undefined;
  /** Part of the token or its note, in any case. */
  q?: string | undefined;
  groupToken?: string | undefined;
  token?: string | undefined;
}

/** One page of an organisation's tokens, newest first. @param after createdAtText and id of the last one seen. */
export async function listIdTokens(
  sql: Sql,
  orgId: string,
  filter: IdTokenFilter,
  limit: number,
  after: readonly string[] = [],
): Promise<IdToken[]> {
  return sql.query<IdToken>(
    `select ${COLUMNS} from id_tokens
     where org_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2::timestamptz, $3::text))
       and ($4::text is null or status = $4::text)
       and ($5::text is null or strpos(lower(concat_ws(' ', token, note)), lower($5::text)) > 0)
       and ($6::text is null or group_token = $6::text) and ($7::text is null or token = $7::text)
     order by created_at desc, id desc limit $8`,
    [
      orgId,
      after[0] ?? null,
      after[1] ?? null,
      filter.status ?? null,
      filter.q ?? null,
      foldIfAny(filter.groupToken ?? null),
      foldIfAny(filter.token ?? null),
      limit,
    ],
  );
}
