import type pg from "pg";
import { inTransaction, type Sql } from "../database.ts";
import { newId } from "../ids.ts";
import type { DurableWork, WakeUps } from "../jobs/durable-work.ts";
import { DELIVERY_WORK } from "./claim-delivery.ts";
import { FAN_OUT_WORK } from "./record-event.ts";

/** Events handled in one transaction. */
const BATCH = 500;

/**
 * Makes a delivery of each new event for each endpoint that wants it. One run takes all events that wait, not only the one
 * it was woken for: a fleet that reconnects makes thousands, and most organisations listen to none of them.
 */
export function createFanOutWork({ pool, wakeUps }: { pool: pg.Pool; wakeUps: WakeUps }): DurableWork {
  return {
    name: FAN_OUT_WORK,
    concurrency: 1,
    async run() {
      for (;;) {
        const { events, deliveryIds } = await inTransaction(pool, fanOutBatch);
        for (const id of deliveryIds) wakeUps.wake(DELIVERY_WORK, id);
        if (events < BATCH) return;
      }
    },
    async due() {
      const { rows } = await pool.query<{ id: string }>(
        "select id from events where fanned_out_at is null order by recorded_at limit 1",
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Events locked by another process are left to it. */
async function fanOutBatch(sql: Sql): Promise<{ events: number; deliveryIds: string[] }> {
  const events = await sql.query<{ id: string; endpoints: string[] }>(
    `with batch as (
       select id, org_id, type from events where fanned_out_at is null order by recorded_at limit ${BATCH} for update skip locked
     ), marked as (
       update events set fanned_out_at = now() from batch where events.id = batch.id
     )
     select batch.id,
       array(select endpoint.id from webhook_endpoints endpoint
             where endpoint.org_id = batch.org_id and endpoint.status = 'active' and endpoint.deleted_at is null
               and endpoint.events && array['*', batch.type]) as endpoints
     from batch`,
  );
  const deliveries = events.flatMap((event) =>
    event.endpoints.map((endpointId) => ({ id: newId("whd"), endpointId, eventId: event.id })),
  );
  if (deliveries.length > 0)
    await sql.query(
      `insert into webhook_deliveries (id, endpoint_id, event_id, status, next_attempt_at)
       select id, endpoint_id, event_id, 'pending', now() from unnest($1::text[], $2::text[], $3::text[]) as d (id, endpoint_id, event_id)
       on conflict (endpoint_id, event_id) do nothing`,
      [deliveries.map((d) => d.id), deliveries.map((d) => d.endpointId), deliveries.map((d) => d.eventId)],
    );
  return { events: events.length, deliveryIds: deliveries.map((delivery) => delivery.id) };
}
