import { unseal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import type { Logger } from "pino";
import { isoMillis } from "../http/iso-time.ts";
import type { DurableWork, WakeUps } from "../jobs/durable-work.ts";
import { MAIL_WORK } from "../mail/queue-mail.ts";
import { claimDelivery, DELIVERY_WORK, endpointOfDue, type ClaimedDelivery } from "./claim-delivery.ts";
import { parseRetryAfter, pauseAfterMs } from "./delivery-schedule.ts";
import { recordOutcome, type AttemptOutcome } from "./delivery-outcome.ts";
import type { GuardedFetch } from "./guarded-fetch.ts";
import type { WebhookMetrics } from "./webhook-metrics.ts";
import { secretContext, signatureHeaders } from "./webhook-secret.ts";

/** A receiver's time for its whole answer. */
const TIMEOUT_MS = 15_000;
/** The answer says success or not by its status; its body is read only to let the receiver finish sending. */
const MAX_RESPONSE_BYTES = 16_384;
/** Attempts at one endpoint at the same moment, per process: a receiver that hangs takes these and no more. */
const PER_ENDPOINT = 5;
const CONCURRENCY = 50;

export interface DeliveryDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
  guardedFetch: GuardedFetch;
  wakeUps: WakeUps;
  log: Logger;
  metrics: WebhookMetrics;
}

/**
 * One attempt of a delivery: claimed in Postgres, sent, its outcome recorded. At least once: an attempt whose process dies
 * counts as lost after a minute and is made again, under the same `webhook-id`.
 */
export function createDeliveryWork(deps: DeliveryDeps): DurableWork {
  const { pool, secretsKey, wakeUps, metrics, log } = deps;
  const slots = endpointSlots();

  return {
    name: DELIVERY_WORK,
    concurrency: CONCURRENCY,
    async run(id) {
      const endpointId = await endpointOfDue(pool, id);
      if (endpointId === undefined || !slots.take(endpointId)) return;
      try {
        const claimed = await claimDelivery(pool, id);
        if (claimed === undefined) return;
        const outcome = await attempt(deps, claimed);
        metrics.attempts.inc({ outcome: outcome.kind });
        if (outcome.kind !== "delivered")
          log.warn(
            { deliveryId: id, endpointId, attempt: claimed.attempts, outcome: outcome.kind, reason: outcome.error },
            "webhook not delivered",
          );
        const { disabled, mailId } = await recordOutcome(pool, secretsKey, claimed, outcome);
        if (outcome.kind !== "delivered" && outcome.pauseMs !== undefined)
          wakeUps.wake(DELIVERY_WORK, id, outcome.pauseMs);
        if (disabled) log.warn({ endpointId, reason: outcome.error }, "webhook endpoint disabled");
        if (mailId !== undefined) wakeUps.wake(MAIL_WORK, mailId);
      } finally {
        slots.giveBack(endpointId);
      }
    },
    async due(limit) {
      // A few of each endpoint, so that a thousand waiting for one receiver do not hide the others.
      const { rows } = await pool.query<{ id: string }>(
        `select due.id from webhook_endpoints endpoint
         cross join lateral (
           select id, next_attempt_at from webhook_deliveries
           where endpoint_id = endpoint.id and status = 'pending' and next_attempt_at <= now()
           order by next_attempt_at limit ${PER_ENDPOINT}
         ) due
         order by due.next_attempt_at limit $1`,
        [limit],
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Counts attempts under way per endpoint. A delivery that gets no place stays due and is found by the next sweep. */
function endpointSlots() {
  const taken = new Map<string, number>();
  return {
    take(endpointId: string): boolean {
      const count = taken.get(endpointId) ?? 0;
      if (count >= PER_ENDPOINT) return false;
      taken.set(endpointId, count + 1);
      return true;
    },
    giveBack(endpointId: string): void {
      const left = (taken.get(endpointId) ?? 1) - 1;
      if (left === 0) taken.delete(endpointId);
      else taken.set(endpointId, left);
    },
  };
}

async function attempt({ secretsKey, guardedFetch }: DeliveryDeps, delivery: ClaimedDelivery): Promise<AttemptOutcome> {
  const attemptAt = new Date();
  const body = deliveryBody(delivery);
  const secretOf = (sealed: string) => unseal(secretsKey, secretContext(delivery.endpointId), sealed);
  const current = secretOf(delivery.sealedSecret);
  const secrets: [string, ...string[]] =
    delivery.sealedPreviousSecret === null ? [current] : [current, secretOf(delivery.sealedPreviousSecret)];
  const answer = await guardedFetch.send({
    url: delivery.url,
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "Dynamo-CSMS-Webhooks/1",
      ...signatureHeaders(secrets, delivery.eventId, attemptAt, body),
    },
    body,
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: MAX_RESPONSE_BYTES,
  });
  const pauseMs = (retryAfterSeconds?: number) => pauseAfterMs(delivery.attempts, Math.random(), retryAfterSeconds);
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
