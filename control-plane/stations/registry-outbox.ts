import { inTransaction, sqlOn } from "../database.ts";
import { readRegistry } from "./registry-record.ts";
import { type RegistryDeps, requestRegistryWrites, writeRegistryEntries } from "./station-registry.ts";

/** Pages of one sweep: a profile of a whole fleet is through in minutes, and the next sweep goes on. */
const MAX_PAGES = 20;

/**
 * Writes the records that were asked for and not yet written, and closes the sockets that are to be closed, oldest first;
 * the jobs process calls it every second or so. Resolves to how many were written. Rejects when Redis or Postgres is away:
 * nothing is lost, the next sweep goes on. Safe to run in several processes: a record of a lower revision changes nothing.
 * @param deps.limit records per page.
 */
export async function relayRegistryOutbox(deps: RegistryDeps & { limit: number }): Promise<number> {
  const sql = sqlOn(deps.pool);
  let written = 0;
  // Past what was seen already: requests that cannot be settled now stay, and must not hold up those behind them.
  let after: { at: string; id: string } = { at: "-infinity", id: "0" };
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const waiting = await sql.query<{ station_id: string; at: string }>(
      `select station_id::text as station_id, requested_at::text as at from registry_outbox
       where (requested_at, station_id) > ($2::timestamptz, $3::bigint) order by requested_at, registry_outbox.station_id limit $1`,
      [deps.limit, after.at, after.id],
    );
    const last = waiting.at(-1);
    if (last === undefined) break;
    const entries = await readRegistry(
      sql,
      waiting.map((row) => row.station_id),
      deps.heartbeatIntervalSeconds,
    );
    await writeRegistryEntries(deps, entries);
    written += entries.length;
    if (waiting.length < deps.limit) break;
    after = { at: last.at, id: last.station_id };
  }
  return written;
}

/**
 * Writes every station's record, page by page, under a new revision: for a Redis that lost its data, or a Postgres that
 * was restored to an earlier time. What Redis knows then, and Postgres does not, is taken over first. Resolves to how many.
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
    await inTransaction(deps.pool, (tx) => requestRegistryWrites(tx, ids));
    await writeRegistryEntries(deps, await readRegistry(sql, ids, deps.heartbeatIntervalSeconds));
    written += ids.length;
    after = last.id;
  }
}
