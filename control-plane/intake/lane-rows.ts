import type { Sql } from "../database.ts";
import { type EntryRange, entryIdOf, FIRST_OFFSET, numberOf, withoutNumbers } from "./entry-id.ts";

/** A lane that this process may drain. */
export interface HeldLane {
  id: string;
  nodeId: string;
  /** Entry id up to which everything is applied; the next one read comes after it. */
  offset: string;
  sealed: boolean;
}

/** How long a lane stays with its holder without a sign of life of it: longer than a batch and a pause take. */
export const HOLD_MS = 10_000;

/**
 * Makes lanes known that were found in Redis. Those that are known are not touched: `on conflict do update` locks a row also
 * where its condition is false, and whoever applies a batch holds its lane's row.
 */
export async function addLanes(sql: Sql, lanes: readonly { id: string; nodeId: string }[]): Promise<void> {
  if (lanes.length === 0) return;
  await sql.query(
    `insert into lanes (id, node_id)
     select f.id, f.node_id from unnest($1::text[], $2::text[]) as f (id, node_id) left join lanes l on l.id = f.id
     where l.id is null or (l.node_id = '' and f.node_id <> '') order by f.id
     on conflict (id) do update set node_id = excluded.node_id where lanes.node_id = '' and excluded.node_id <> ''`,
    [lanes.map((lane) => lane.id), lanes.map((lane) => lane.nodeId)],
  );
}

/** Lanes that nobody drains, oldest first. */
export async function freeLanes(sql: Sql, holder: string): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select id from lanes where finished_at is null and (held_until is null or held_until < now() or holder = $1) order by first_seen_at, id`,
    [holder],
  );
  return rows.map((row) => row.id);
}

/**
 * Takes a lane if nobody else holds it. Holding spares work; whose effects count is decided by the offset alone. One whose row
 * is locked is in somebody's hands, if only of a process that stands still: it is passed over, not waited for.
 */
export async function takeLane(sql: Sql, laneId: string, holder: string): Promise<HeldLane | undefined> {
  const [row] = await sql.query<{ node_id: string; offset: string; sealed: boolean }>(
    `update lanes set holder = $2, held_until = now() + $3 * interval '1 millisecond'
     where id = (select id from lanes where id = $1 and finished_at is null and (held_until is null or held_until < now() or holder = $2)
                 for no key update skip locked)
     returning node_id, "offset", sealed`,
    [laneId, holder, HOLD_MS],
  );
  return row === undefined ? undefined : { id: laneId, nodeId: row.node_id, offset: row.offset, sealed: row.sealed };
}

/**
 * Goes on holding the lane. False when it is somebody else's, or when its offset is not where this process left it:
 * a Postgres that lost its last commits has gone back, and what was lost must be read again.
 */
export async function keepLane(sql: Sql, lane: HeldLane, holder: string): Promise<boolean> {
  const rows = await sql.query(
    `update lanes set held_until = now() + $4 * interval '1 millisecond' where id = $1 and holder = $2 and "offset" = $3 returning id`,
    [lane.id, holder, lane.offset, HOLD_MS],
  );
  return rows.length > 0;
}

/** Leaves the lane to others at once. */
export async function leaveLane(sql: Sql, laneId: string, holder: string): Promise<void> {
  await sql.query(`update lanes set holder = null, held_until = null where id = $1 and holder = $2`, [laneId, holder]);
}

/** Moves the offset in the transaction of the effects. False: the lane is not where we left it, so nothing of ours counts. */
export async function moveOffset(sql: Sql, laneId: string, from: string, to: string): Promise<boolean> {
  const rows = await sql.query(
    `update lanes set "offset" = $3, moved_at = now(), held_until = now() + $4 * interval '1 millisecond'
     where id = $1 and "offset" = $2 and finished_at is null returning id`,
    [laneId, from, to, HOLD_MS],
  );
  return rows.length > 0;
}

export async function markSealed(sql: Sql, laneId: string): Promise<void> {
  await sql.query(`update lanes set sealed = true where id = $1`, [laneId]);
}

export async function markFinished(sql: Sql, laneId: string): Promise<void> {
  await sql.query(
    `update lanes set finished_at = now(), holder = null, held_until = null where id = $1 and finished_at is null`,
    [laneId],
  );
}

/** Which of these lanes are finished as far as we know. */
export async function finishedLanes(sql: Sql, laneIds: readonly string[]): Promise<string[]> {
  const rows = await sql.query<{ id: string }>(
    `select id from lanes where id = any($1::text[]) and finished_at is not null`,
    [laneIds],
  );
  return rows.map((row) => row.id);
}

/** Takes up lanes that were finished too early, where their offsets stand. */
export async function reopenLanes(sql: Sql, laneIds: readonly string[]): Promise<void> {
  if (laneIds.length === 0) return;
  await sql.query(`update lanes set finished_at = null where id = any($1::text[]) and finished_at is not null`, [
    laneIds,
  ]);
}

/** Notes entries that the lane never had or no longer has: they cannot be made up for, and somebody must know. */
export async function recordGap(sql: Sql, laneId: string, gap: EntryRange): Promise<void> {
  await sql.query(`insert into lane_gaps (lane_id, from_entry, to_entry) values ($1, $2, $3) on conflict do nothing`, [
    laneId,
    gap.from,
    gap.to,
  ]);
}

/** Takes back what was noted of entries that never were: Redis refused them, and what they held came later. */
export async function dropExplainedGaps(
  sql: Sql,
  { laneId, first, last }: { laneId: string; first: number; last: number },
): Promise<void> {
  const noted = await sql.query<EntryRange>(
    `select from_entry as "from", to_entry as "to" from lane_gaps where lane_id = $1 for update`,
    [laneId],
  );
  for (const gap of noted) {
    const left = withoutNumbers(gap, first, last);
    if (left[0] === gap) continue;
    await sql.query(`delete from lane_gaps where lane_id = $1 and from_entry = $2`, [laneId, gap.from]);
    for (const range of left) await recordGap(sql, laneId, range);
  }
}

/** Notes a gap that a writer reported, less what was applied before Redis lost it. */
export async function recordReportedGap(
  sql: Sql,
  { laneId, fromId, toId }: { laneId: string; fromId: number; toId: number },
): Promise<void> {
  const [row] = await sql.query<{ offset: string }>(`select "offset" from lanes where id = $1`, [laneId]);
  const from = Math.max(fromId, numberOf(row?.offset ?? FIRST_OFFSET) + 1);
  if (from <= toId) await recordGap(sql, laneId, { from: entryIdOf(from), to: entryIdOf(toId) });
}
