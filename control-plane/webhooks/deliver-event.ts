import { unseal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import type { Logger } from "pino";
import { isoMillis } from "../http/iso-time.ts";
import type { DurableWork, WakeUps } from "../jobs/durable-work.ts";
import { MAIL_WORK } from "../mail/queue-mail.ts";
import {
  claimDelivery,
  claimNextOf,
  DELIVERY_WORK,
  endpointOfDue,
  type ClaimedDelivery,
  type DueEndpoint,
} from "./claim-delivery.ts";
import { createDeliveryPlaces, PER_ENDPOINT, PLACES } from "./delivery-places.ts";
import type { DeliveryTraces } from "./delivery-traces.ts";
import { parseRetryAfter, pauseAfterMs } from "./delivery-schedule.ts";
import { recordOutcome, type AttemptOutcome } from "./delivery-outcome.ts";
import type { GuardedFetch } from "./guarded-fetch.ts";
import type { WebhookMetrics } from "./webhook-metrics.ts";
import { secretContext, signatureHeaders } from "./webhook-secret.ts";

/** A receiver's time for its whole answer. */
const TIMEOUT_MS = 15_000;
/** The answer says success or not by its status; its body is read only to let the receiver finish sending. */
const MAX_RESPONSE_BYTES = 16_384;
/** How long a run goes on with what else waits for its endpoint: a burst must not wait for the next sweep, nor a stop for the burst. */
const IN_A_ROW_MS = 5_000;

export interface DeliveryDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
  guardedFetch: GuardedFetch;
  wakeUps: WakeUps;
  log: Logger;
  metrics: WebhookMetrics;
  /** Where traces are recorded. */
  traces?: DeliveryTraces;
  /** Default: TIMEOUT_MS. */
  timeoutMs?: number;
}

/**
 * One attempt of a delivery: claimed in Postgres, sent, its outcome recorded. At least once: an attempt whose process dies
 * counts as lost after a minute and is made again, under the same `webhook-id`.
 */
export function createDeliveryWork(deps: DeliveryDeps): DurableWork {
  const { pool } = deps;
  const places = createDeliveryPlaces();

  /** @returns whether the receiver kept its time. */
  async function attemptAndRecord(claimed: ClaimedDelivery): Promise<boolean> {
    const span = await deps.traces?.begin(claimed);
    const ended = deps.metrics.seconds.startTimer();
    const outcome = await attempt(deps, claimed, span?.traceparent);
    ended();
    deps.traces?.end(span, outcome);
    places.answered(claimed.endpointId, outcome.kind !== "timed-out");
    await writeDown(deps, claimed, outcome);
    return outcome.kind !== "timed-out";
  }

  async function deliverInARow(id: string, endpoint: DueEndpoint): Promise<void> {
    const until = performance.now() + IN_A_ROW_MS;
    let claimed = await claimDelivery(pool, id);
    while (claimed !== undefined) {
      const inTime = await attemptAndRecord(claimed);
      // What is left is found by the sweep, which looks at every endpoint alike.
      if (!inTime || performance.now() > until) return;
      claimed = await claimNextOf(pool, endpoint.id);
    }
  }

  return {
    name: DELIVERY_WORK,
    concurrency: PLACES,
    async run(id) {
      const endpoint = await endpointOfDue(pool, id);
      if (endpoint === undefined || !places.take(endpoint)) return;
      try {
        await deliverInARow(id, endpoint);
      } finally {
        places.giveBack(endpoint);
      }
    },
    async due(limit) {
      // A few of each endpoint, so that a thousand waiting for one receiver do not hide the others; nor may those do so who
      // would get no place.
      const { endpointIds, orgIds } = places.full();
      const { rows } = await pool.query<{ id: string }>(
        `select due.id from webhook_endpoints endpoint
         cross join lateral (
           select id, next_attempt_at from webhook_deliveries
           where endpoint_id = endpoint.id and status = 'pending' and next_attempt_at <= now()
           order by next_attempt_at limit ${PER_ENDPOINT}
         ) due
         where endpoint.id <> all($2::text[]) and endpoint.org_id <> all($3::text[])
         order by due.next_attempt_at limit $1`,
        [limit, endpointIds, orgIds],
      );
      return rows.map((row) => row.id);
    },
  };
}

async function writeDown(deps: DeliveryDeps, claimed: ClaimedDelivery, outcome: AttemptOutcome): Promise<void> {
  const { pool, secretsKey, wakeUps, metrics, log } = deps;
  const { id, endpointId, attempts } = claimed;
  metrics.attempts.inc({ outcome: outcome.kind });
  if (outcome.kind !== "delivered")
    log.warn(
      { deliveryId: id, endpointId, attempt: attempts, outcome: outcome.kind, reason: outcome.error },
      "webhook not delivered",
    );
  const { disabled, mailId } = await recordOutcome(pool, secretsKey, claimed, outcome);
  if (outcome.kind !== "delivered" && outcome.pauseMs !== undefined) wakeUps.wake(DELIVERY_WORK, id, outcome.pauseMs);
  if (disabled) log.warn({ endpointId, reason: outcome.error }, "webhook endpoint disabled");
  if (mailId !== undefined) wakeUps.wake(MAIL_WORK, mailId);
}

/** What the delivery is signed with; undefined: nobody can open it, and unsigned it must not go out. */
function secretsOf(delivery: ClaimedDelivery, secretsKey: SecretsKey): [string, ...string[]] | undefined {
  const open = (sealed: string | null): string[] => {
    try {
      return sealed === null ? [] : [unseal(secretsKey, secretContext(delivery.endpointId), sealed)];
    } catch {
      return [];
    }
  };
  const [current] = open(delivery.sealedSecret);
  return current === undefined ? undefined : [current, ...open(delivery.sealedPreviousSecret)];
}

async function attempt(
  { secretsKey, guardedFetch, timeoutMs = TIMEOUT_MS }: DeliveryDeps,
  delivery: ClaimedDelivery,
  traceparent: string | undefined,
): Promise<AttemptOutcome> {
  const attemptAt = new Date();
  const body = deliveryBody(delivery);
  const pauseMs = (retryAfterSeconds?: number) => pauseAfterMs(delivery.attempts, Math.random(), retryAfterSeconds);
  const secrets = secretsOf(delivery, secretsKey);
  if (secrets === undefined)
    return {
      kind: "failed",
      error: "its signing secret was sealed with another SECRETS_KEY: give the endpoint a new one",
      pauseMs: pauseMs(),
    };
  const answer = await guardedFetch.send({
    url: delivery.url,
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "Dynamo-CSMS-Webhooks/1",
      ...(traceparent === undefined ? {} : { traceparent }),
      ...signatureHeaders(secrets, delivery.eventId, attemptAt, body),
    },
    body,
    timeoutMs,
    maxResponseBytes: MAX_RESPONSE_BYTES,
  });
  if (!answer.ok) return { kind: answer.error.kind, error: answer.error.reason, pauseMs: pauseMs() };
  const { status, headers } = answer.value;
  if (status >= 200 && status < 300) return { kind: "delivered", statusCode: status };
  if (status === 410)
    return { kind: "gone", statusCode: status, error: "the receiver answered 410 Gone", pauseMs: undefined };
  if (status >= 300 && status < 400)
    return {
      kind: "redirect",
      statusCode: status,
      error: "the receiver answered with a redirect, which is not followed",
      pauseMs: pauseMs(),
    };
  // Only those who say "slow down" are asked how long (429, 503; 502 and 504 may come with it from a proxy).
  const retryAfter = [429, 502, 503, 504].includes(status)
    ? parseRetryAfter(headers["retry-after"], attemptAt)
    : undefined;
  return {
    kind: "bad_status",
    statusCode: status,
    error: `the receiver answered ${status}`,
    pauseMs: pauseMs(retryAfter),
  };
}

/** The same bytes at each attempt. `event` repeats `type` for receivers written for the older form. */
function deliveryBody({ eventId, type, occurredAt, data }: ClaimedDelivery): string {
  return JSON.stringify({ id: eventId, type, event: type, timestamp: isoMillis(occurredAt), data });
}
