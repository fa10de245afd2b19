import type { Sql } from "../database.ts";

/** In pieces: nobody waits for it. */
const AT_ONCE = 5_000;

/**
 * Deletes what was set aside and is done with: dead letters some days after their replay or discarding, gaps after they were
 * acknowledged, quarantined messages after their receipt. What is open stays for as long as it is. Harmless twice, and in
 * several processes at once.
 */
export async function forgetSetAside(
  sql: Sql,
  { deadLettersDays, quarantineDays }: { deadLettersDays: number; quarantineDays: number },
): Promise<void> {
  await sql.query(
    `delete from dead_letters where id in (
       select id from dead_letters where (replayed_at is not null or discarded_at is not null)
         and coalesce(replayed_at, discarded_at) < now() - make_interval(days => $1::int) limit ${AT_ONCE})`,
    [deadLettersDays],
  );
  await sql.query(`delete from lane_gaps where acknowledged_at < now() - make_interval(days => $1::int)`, [
    deadLettersDays,
  ]);
  await sql.query(
    `delete from quarantine where ctid = any(array(
       select ctid from quarantine where received_at < now() - make_interval(days => $1::int) limit ${AT_ONCE}))`,
    [quarantineDays],
  );
}
