import { sqlOn } from "../database.ts";
import { type RegistryDeps, readRegistry, writeRegistryEntries } from "./station-registry.ts";

/**
 * Writes the records that were asked for and not yet written, and closes the sockets that are to be closed, oldest first; the jobs process calls it every second or so.
 * Resolves to how many were written. Rejects when Redis or Postgres is away: nothing is lost, the next sweep goes on.
 * Safe to run in several processes: a record of a lower revision changes nothing.
 */
export async function relayRegistryOutbox(deps: RegistryDeps & { limit: number }): Promise<number> {
  const sql = sqlOn(deps.pool);
  const waiting = await sql.query<{ station_id: string }>(
    `select station_id::text as station_id from registry_outbox order by requested_at limit $1`,
    [deps.limit],
  );
  if (waiting.length === 0) return 0;
  const entries = await readRegistry(
    sql,
    waiting.map((row) => row.station_id),
    deps.heartbeatIntervalSeconds,
  );
  await writeRegistryEntries(deps.redis, sql, entries);
  return entries.length;
}

/**
 * Writes every station's record, page by page, under a new revision: for a Redis that lost its data, or a Postgres that
 * was restored to an earlier time (then Redis holds revisions that Postgres no longer knows). Resolves to how many.
 */
export async function rebuildRegistry(deps: RegistryDeps & { pageSize: number }): Promise<number> {
  const sql = sqlOn(deps.pool);
  let after = "0";
  let written = 0;
  for (;;) {
    const page = await sql.query<{ id: string }>(
      `select id::text as id from stations where id > $1 order by stations.id limit $2`,
      [after, deps.pageSize],
    );
    const last = page.at(-1);
    if (last === undefined) return written;
    const ids = page.map((row) => row.id);
    await sql.query(
      `update stations set registry_rev = greatest(registry_rev + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint) where id = any($1::bigint[])`,
      [ids],
    );
    const entries = await readRegistry(sql, ids, deps.heartbeatIntervalSeconds);
    await writeRegistryEntries(deps.redis, sql, entries);
    written += entries.length;
    after = last.id;
  }
}
