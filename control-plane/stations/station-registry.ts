import type { Cluster, Redis } from "ioredis";
import type { Logger } from "pino";
import type pg from "pg";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import { settleQuirks } from "../quirks/resolve-quirks.ts";
import { closeSocket } from "./close-socket.ts";
import { refreshSession } from "./refresh-session.ts";
import { type HeldRecord, isKnown, readRegistry, type RegistryEntry, writeRegistryEntry } from "./registry-record.ts";
import { takeOverRecord } from "./take-over-record.ts";

export interface RegistryDeps {
  pool: pg.Pool;
  redis: Redis | Cluster;
  /** Told in BootNotification answers, also by a gateway that cannot ask us. */
  heartbeatIntervalSeconds: number;
  /** Told of what Postgres had lost. */
  log?: Pick<Logger, "warn"> | undefined;
}

/**
 * Asks for the station's record in Redis to be written anew. Call it in the transaction that changes what admission needs
 * (verifiers, registration, versions, profile, retirement): the request commits or falls with the change.
 * After the commit `writeRegistryNow` saves the wait for the relay.
 * @param also "close-socket": whoever is connected is to be disconnected once the record is written, because the access that
 * the connection was let in by has ended. That is kept up until a gateway heard it.
 */
export async function requestRegistryWrite(sql: Sql, stationId: string | number, also?: "close-socket"): Promise<void> {
  await requestRegistryWrites(sql, [stationId], also);
}

/** `requestRegistryWrite` for many: their rows are locked in the order of their ids. */
export async function requestRegistryWrites(
  sql: Sql,
  stationIds: readonly (string | number)[],
  also?: "close-socket",
): Promise<void> {
  if (stationIds.length === 0) return;
  const ids = stationIds.map(String);
  // Not simply + 1: after a restore of an older Postgres, Redis would keep the higher revision for ever.
  const revised = await sql.query<{ id: string; before: string; rev: string }>(
    `with locked as (select id, registry_rev as before from stations where id = any($1::bigint[]) order by id for no key update)
     update stations s set registry_rev = greatest(l.before + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)
     from locked l where s.id = l.id returning s.id::text as id, l.before::text as before, s.registry_rev::text as rev`,
    [ids],
  );
  // Behind the lock, in a statement of its own: a boot that was being filed meanwhile is seen.
  await settleQuirks(sql, ids);
  await sql.query(
    `insert into registry_outbox as o (station_id, requested_at, close_socket, base_rev, revs)
     select id, clock_timestamp(), $2, before, array[rev] from unnest($1::bigint[], $3::bigint[], $4::bigint[]) as s (id, before, rev) order by id
     on conflict (station_id) do update set requested_at = excluded.requested_at, close_socket = o.close_socket or excluded.close_socket,
       revs = o.revs || excluded.revs`,
    [
      revised.map(({ id }) => id),
      also === "close-socket",
      revised.map(({ before }) => before),
      revised.map(({ rev }) => rev),
    ],
  );
}

/** A node without a lease is told to close a socket for this long: it may be cut off from Redis and still hold it. */
const CUT_OFF_MS = 120_000;

/**
 * Writes these records, then closes the sockets for which that was asked: a station that comes back at once must meet the
 * new record. Whoever holds one of the others is told to read its record again; a word that is lost is made good at the
 * station's next connection. Forgets the outbox requests that are settled by it; one that was made anew meanwhile stays,
 * and one whose close no gateway has heard. Rejects when Redis or Postgres is away: what is left to do stays in the outbox.
 */
export async function writeRegistryEntries(deps: RegistryDeps, entries: readonly RegistryEntry[]): Promise<void> {
  const { redis } = deps;
  const written = (await Promise.all(entries.map((entry) => writeOrTakeOver(deps, entry)))).filter(
    (entry) => entry !== undefined,
  );
  const settled: { entry: RegistryEntry; afterMs: number }[] = [];
  const told = await Promise.all(
    written
      .filter((entry) => entry.outboxRequestedAt !== null)
      .map(async (entry) => ({
        entry,
        told: entry.closeRequested
          ? await closeSocket(redis, entry.identity)
          : await refreshSession(redis, entry.identity),
      })),
  );
  for (const { entry, told: how } of told)
    if (how !== "unheard") settled.push({ entry, afterMs: how === "done" ? 0 : CUT_OFF_MS });
  if (settled.length === 0) return;
  await sqlOn(deps.pool).query(
    `delete from registry_outbox o using unnest($1::bigint[], $2::text[], $3::int[]) as done(station_id, requested_at, after_ms)
     where o.station_id = done.station_id and o.requested_at = done.requested_at::timestamptz
       and (done.after_ms = 0 or o.requested_at < now() - done.after_ms * interval '1 millisecond')`,
    [
      settled.map(({ entry }) => entry.stationId),
      settled.map(({ entry }) => entry.outboxRequestedAt),
      settled.map(({ afterMs }) => afterMs),
    ],
  );
}

/**
 * Writes one; where Redis holds a revision that Postgres does not know, takes that over first.
 * @returns the entry as it was written; undefined: the outbox has it again.
 */
async function writeOrTakeOver(deps: RegistryDeps, entry: RegistryEntry): Promise<RegistryEntry | undefined> {
  const held = await writeRegistryEntry(deps.redis, entry);
  if (held === undefined) return entry;
  try {
    await takeOver(deps, entry, held);
  } catch (fault) {
    // One record that Postgres will not take holds up no other one.
    if (faultKindOf(fault) !== "frame") throw fault;
    const { chargePointId } = entry.record;
    deps.log?.warn(
      { station: chargePointId, reason: describeFault(fault) },
      "what Redis has of a station cannot be taken over",
    );
    return undefined;
  }
  const [merged] = await readRegistry(sqlOn(deps.pool), [entry.stationId], deps.heartbeatIntervalSeconds);
  if (merged === undefined || (await writeRegistryEntry(deps.redis, merged)) !== undefined) return undefined;
  return merged;
}

async function takeOver(deps: RegistryDeps, { stationId }: RegistryEntry, held: HeldRecord): Promise<void> {
  await inTransaction(deps.pool, async (sql) => {
    await sql.query("select 1 from stations where id = $1 for no key update", [stationId]);
    const [now] = await readRegistry(sql, [stationId], deps.heartbeatIntervalSeconds);
    // Written meanwhile by a request that came later than the entry.
    if (now === undefined || isKnown(held.rev, now.known)) return;
    if (held.record !== undefined) await takeOverRecord(sql, now, held.record);
    await sql.query("update stations set registry_rev = greatest(registry_rev, $2) where id = $1", [
      stationId,
      held.rev,
    ]);
    await requestRegistryWrite(sql, stationId);
    await sql.query("update registry_outbox set revs = revs || $2::bigint where station_id = $1", [
      stationId,
      held.rev,
    ]);
    const { chargePointId } = now.record;
    deps.log?.warn(
      { station: chargePointId, rev: held.rev },
      "Postgres had lost changes of a station: taken over from Redis",
    );
  });
}

/**
 * Writes the station's record to Redis now, and closes its socket if asked; call it after the commit of the request. Never rejects:
 * false means that Redis or Postgres did not answer, and the outbox relay will do it.
 */
export async function writeRegistryNow(deps: RegistryDeps, stationId: string | number): Promise<boolean> {
  try {
    const entries = await readRegistry(sqlOn(deps.pool), [stationId], deps.heartbeatIntervalSeconds);
    await writeRegistryEntries(deps, entries);
    return true;
  } catch {
    return false;
  }
}
