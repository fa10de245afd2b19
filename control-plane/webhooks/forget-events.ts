import type pg from "pg";

/** How long events and the log of their deliveries are kept. */
const KEPT_DAYS = 30;

/**
 * Deletes old events with their deliveries, those still under way excepted. To be called now and then.
 * @returns how many events went; `limit` means there may be more.
 */
export async function forgetOldEvents({ pool, limit }: { pool: pg.Pool; limit: number }): Promise<number> {
  const { rowCount } = await pool.query(
    `with old as (
       select id from events
       where recorded_at < now() - make_interval(days => ${KEPT_DAYS}) and fanned_out_at is not null
         and not exists (select 1 from webhook_deliveries d where d.event_id = events.id and d.status = 'pending')
       order by recorded_at limit $1 for update skip locked
     ), gone as (
       delete from webhook_deliveries using old where webhook_deliveries.event_id = old.id
     )
     delete from events using old where events.id = old.id`,
    [limit],
  );
  return rowCount ?? 0;
}
