import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type pg from "pg";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { eventPages, inPage, pageValues } from "./event-pages.ts";
import { EVENTS_PLACE, TOKEN_COLUMNS, TOKEN_PLACES, type TokenPlace } from "./places.ts";

export interface EraseDeps {
  pool: pg.Pool;
  redis: RedisConnection;
  /** Stations whose rows are gone through in one transaction. */
  pageSize: number;
  /** Events, of whatever organisation, that are gone through in one statement. */
  eventPageSize: number;
}

/** How many rows of each table lost the token. */
export type Counts = Record<string, number>;

/**
 * Puts a pseudonym in the place of a token wherever the organisation's data names it: the sessions, their energy and the
 * log stay, whose they were is gone. Safe to run again, from the beginning, after it was broken off. Signed meter values stay
 * as they were signed. Rejects when Postgres or Redis is away.
 * @param token case-folded. @param pseudonym fits an idTag: at most 20 characters, no quotes.
 */
export async function eraseToken(deps: EraseDeps, orgId: string, token: string, pseudonym: string): Promise<Counts> {
  const counts: Counts = {};
  const sql = sqlOn(deps.pool);
  // First of all, so that nothing new is authorized with it.
  await count(counts, "id_tokens", sql, `delete from id_tokens where org_id = $1 and token = $2 returning 1`, [
    orgId,
    token,
  ]);
  await deps.redis.hdel(authorizationCache(orgId), token);
  const pattern = jsonStringPattern(token);
  const replacement = JSON.stringify(pseudonym);
  await eraseFromStations(deps, orgId, { token, pseudonym, pattern, replacement }, counts);
  // Last: an event that is told meanwhile is told of rows that the token may not have left yet.
  for await (const page of eventPages(sql, deps.eventPageSize))
    await replaceIn(
      sql,
      EVENTS_PLACE,
      `t.org_id = $3 and ${inPage(4)}`,
      [pattern, replacement, orgId, ...pageValues(page)],
      counts,
    );
  return counts;
}

async function eraseFromStations(
  deps: EraseDeps,
  orgId: string,
  { token, pseudonym, pattern, replacement }: Record<"token" | "pseudonym" | "pattern" | "replacement", string>,
  counts: Counts,
): Promise<void> {
  const sql = sqlOn(deps.pool);
  for (let after = "0"; ;) {
    const page = await sql.query<{ id: string; identity: string }>(
      `select id::text as id, identity from stations where org_id = $1 and id > $2 order by stations.id limit $3`,
      [orgId, after, deps.pageSize],
    );
    const last = page.at(-1);
    if (last === undefined) return;
    await inTransaction(deps.pool, async (inner) => {
      const ids = page.map(({ id }) => id);
      for (const { table, column } of TOKEN_COLUMNS)
        await count(
          counts,
          table,
          inner,
          `update ${table} set ${column} = $3 where station_id = any($1::bigint[]) and lower(${column}) = $2 returning 1`,
          [ids, token, pseudonym],
        );
      for (const place of TOKEN_PLACES) {
        if (place.scope === "station")
          await replaceIn(inner, place, `t.station_id = any($3::bigint[])`, [pattern, replacement, ids], counts);
        if (place.scope === "identity")
          await replaceIn(
            inner,
            place,
            `t.identity = any($3::text[])`,
            [pattern, replacement, page.map((s) => s.identity)],
            counts,
          );
      }
    });
    after = last.id;
  }
}

/** In any case, as a whole JSON string, also inside JSON that stands in a JSON string (a frame in a dead letter). */
const jsonStringPattern = (token: string): string => {
  const text = JSON.stringify(token)
    .slice(1, -1)
    .replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
  return String.raw`(\\*)"${text}\\*"`;
};

async function replaceIn(
  sql: Sql,
  { table, columns }: Omit<TokenPlace, "scope">,
  where: string,
  values: [pattern: string, replacement: string, ...scope: unknown[]],
  counts: Counts,
): Promise<void> {
  const [pattern, replacement, ...scope] = values;
  const name = replacement.slice(1, -1);
  const sets = columns.map(({ name: column, type }) => {
    const replaced = `regexp_replace(t.${column}::text, $1, '\\1"' || $2 || '\\1"', 'gi')`;
    return `${column} = ${type === "text" ? replaced : `(${replaced})::${type}`}`;
  });
  const found = columns.map(({ name: column }) => `t.${column}::text ~* $1`);
  await count(
    counts,
    table,
    sql,
    `update ${table} t set ${sets.join(", ")} where ${where} and (${found.join(" or ")}) returning 1`,
    [pattern, name, ...scope],
  );
}

async function count(counts: Counts, table: string, sql: Sql, statement: string, values: unknown[]): Promise<void> {
  const rows = await sql.query(`with changed as (${statement}) select count(*)::int as n from changed`, values);
  const n = (rows[0] as { n: number }).n;
  if (n > 0) counts[table] = (counts[table] ?? 0) + n;
}
