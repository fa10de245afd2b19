import type pg from "pg";

/** The durable work that makes the attempts. */
export const DELIVERY_WORK = "webhook-delivery";

/** An attempt that is under way, as it stood when it was claimed. */
export interface ClaimedDelivery {
  id: string;
  /** Attempts with this one. */
  attempts: number;
  endpointId: string;
  orgId: string;
  url: string;
  sealedSecret: string;
  /** Null unless a rotation is under way. */
  sealedPreviousSecret: string | null;
  eventId: string;
  type: string;
  occurredAt: Date;
  data: unknown;
}

/** How long an attempt may take before it counts as lost with its process: above the receiver's time and ours around it. */
const CLAIM_SECONDS = 60;

export interface DueEndpoint {
  id: string;
  orgId: string;
}

/**
 * The endpoint of a delivery that is due. A delivery whose endpoint is deleted or disabled ends here as failed.
 * @returns undefined when there is nothing to do: not due, taken, or ended.
 */
export async function endpointOfDue(pool: pg.Pool, id: string): Promise<DueEndpoint | undefined> {
  const { rows } = await pool.query<DueEndpoint & { usable: boolean; status: string }>(
    `select endpoint.id, endpoint.org_id as "orgId", endpoint.status, endpoint.status = 'active' and endpoint.deleted_at is null as usable
     from webhook_deliveries d join webhook_endpoints endpoint on endpoint.id = d.endpoint_id
     where d.id = $1 and d.status = 'pending' and d.next_attempt_at <= now()`,
    [id],
  );
  const [endpoint] = rows;
  if (endpoint === undefined || endpoint.usable) return endpoint;
  await pool.query(
    `update webhook_deliveries set status = 'failed', next_attempt_at = null, last_error = 'the endpoint was ' || $2 where id = $1 and status = 'pending'`,
    [id, endpoint.status === "active" ? "deleted" : "disabled"],
  );
  return undefined;
}

/**
 * Takes a due delivery for one attempt: nobody else gets it meanwhile, and no lock is held while the receiver takes its time.
 * @returns undefined when it is not due (any more) or somebody else took it.
 */
export const claimDelivery = (pool: pg.Pool, id: string): Promise<ClaimedDelivery | undefined> =>
  claim(pool, "d.id = $1", id);

/** The same with the endpoint's delivery that is due the longest; what somebody else is about to take is left to him. */
export const claimNextOf = (pool: pg.Pool, endpointId: string): Promise<ClaimedDelivery | undefined> =>
  claim(
    pool,
    `d.id = (select id from webhook_deliveries where endpoint_id = $1 and status = 'pending' and next_attempt_at <= now()
             order by next_attempt_at limit 1 for update skip locked)`,
    endpointId,
  );

async function claim(pool: pg.Pool, which: string, value: string): Promise<ClaimedDelivery | undefined> {
  const { rows } = await pool.query<ClaimedDelivery>(
    `update webhook_deliveries d
     set attempts = d.attempts + 1, last_attempt_at = now(), next_attempt_at = now() + make_interval(secs => ${CLAIM_SECONDS})
     from webhook_endpoints endpoint, events event
     where ${which} and d.status = 'pending' and d.next_attempt_at <= now() and endpoint.id = d.endpoint_id and event.id = d.event_id
       and endpoint.status = 'active' and endpoint.deleted_at is null
     returning d.id, d.attempts, endpoint.id as "endpointId", endpoint.org_id as "orgId", endpoint.url, endpoint.sealed_secret as "sealedSecret",
       case when endpoint.previous_secret_until > now() then endpoint.sealed_previous_secret end as "sealedPreviousSecret",
       event.id as "eventId", event.type, event.occurred_at as "occurredAt", event.data`,
    [value],
  );
  return rows[0];
}
