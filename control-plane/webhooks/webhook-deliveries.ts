import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { TEST_EVENT_TYPE } from "./event-catalog.ts";

export interface WebhookDelivery {
  id: string;
  event_id: string;
  event_type: string;
  status: "pending" | "delivered" | "failed";
  attempts: number;
  last_attempt_at: Date | null;
  response_status: number | null;
  error: string | null;
  next_attempt_at: Date | null;
  created_at: Date;
  position: string;
}

const COLUMNS = `d.id, d.event_id, event.type as event_type, d.status, d.attempts, d.last_attempt_at, d.last_status_code as response_status,
  d.last_error as error, d.next_attempt_at, d.created_at, (d.created_at at time zone 'utc')::text || '+00' as position`;

/** One page of an endpoint's deliveries, newest first; one row more than `limit` says that there is another. */
export async function listDeliveries(
  sql: Sql,
  endpointId: string,
  status: string | undefined,
  limit: number,
  after: string[] | undefined,
): Promise<WebhookDelivery[]> {
  return sql.query<WebhookDelivery>(
    `select ${COLUMNS} from webhook_deliveries d join events event on event.id = d.event_id
     where d.endpoint_id = $1 and ($2::text is null or d.status = $2)
       and ($4::timestamptz is null or (d.created_at, d.id) < ($4::timestamptz, $5::text))
     order by d.created_at desc, d.id desc limit $3`,
    [endpointId, status ?? null, limit + 1, after?.[0] ?? null, after?.[1] ?? null],
  );
}

/** Starts a delivery's schedule anew, whatever came of it before; the receiver sees the same `webhook-id`. */
export async function retryDelivery(
  sql: Sql,
  orgId: string,
  id: string,
): Promise<WebhookDelivery | "not_found" | "endpoint_disabled"> {
  const [endpoint] = await sql.query<{ status: string }>(
    `select endpoint.status from webhook_deliveries d join webhook_endpoints endpoint on endpoint.id = d.endpoint_id
     where d.id = $1 and endpoint.org_id = $2 and endpoint.deleted_at is null`,
    [id, orgId],
  );
  if (endpoint === undefined) return "not_found";
  if (endpoint.status !== "active") return "endpoint_disabled";
  // One that is under way keeps its claim; its schedule goes on by itself.
  const [delivery] = await sql.query<WebhookDelivery>(
    `update webhook_deliveries d set status = 'pending', attempts = 0, next_attempt_at = now(), last_error = null, last_status_code = null
     from events event where d.id = $1 and event.id = d.event_id returning ${COLUMNS}`,
    [id],
  );
  return delivery ?? "not_found";
}

/** An event that goes to one endpoint alone, subscribed to or not. */
export async function createTestDelivery(
  sql: Sql,
  orgId: string,
  endpointId: string,
): Promise<{ eventId: string; deliveryId: string }> {
  const eventId = newId("evt");
  const deliveryId = newId("whd");
  await sql.query("insert into events (id, org_id, type, data, fanned_out_at) values ($1, $2, $3, $4::json, now())", [
    eventId,
    orgId,
    TEST_EVENT_TYPE,
    JSON.stringify({ endpoint_id: endpointId }),
  ]);
  await sql.query(
    "insert into webhook_deliveries (id, endpoint_id, event_id, status, next_attempt_at) values ($1, $2, $3, 'pending', now())",
    [deliveryId, endpointId, eventId],
  );
  return { eventId, deliveryId };
}
