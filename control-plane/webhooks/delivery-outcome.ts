import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import { inTransaction, type Sql } from "../database.ts";
import { queueMail } from "../mail/queue-mail.ts";
import type { ClaimedDelivery } from "./claim-delivery.ts";

export type AttemptOutcome =
  | { kind: "delivered"; statusCode: number; error?: undefined }
  | {
      kind: "bad_status" | "redirect" | "gone" | "refused" | "failed" | "timed-out";
      statusCode?: number;
      /** For the organisation that owns the endpoint to read. */
      error: string;
      /** Until the next attempt; undefined: that was the last. */
      pauseMs: number | undefined;
    };

/**
 * Writes what came of an attempt. An endpoint that says 410, or that nothing reached while a delivery went through its whole
 * schedule, is disabled, and the organisation's contact is told by mail.
 */
export async function recordOutcome(
  pool: pg.Pool,
  secretsKey: SecretsKey,
  delivery: ClaimedDelivery,
  outcome: AttemptOutcome,
): Promise<Recorded> {
  const final = outcome.kind === "delivered" || outcome.pauseMs === undefined;
  return inTransaction(pool, async (sql) => {
    // The number of attempts is the claim's mark: a slow process whose claim ran out does not overwrite what came after it.
    const [kept] = await sql.query<{ createdAt: Date }>(
      `update webhook_deliveries
       set status = $3, last_status_code = $4, last_error = $5, next_attempt_at = now() + $6::double precision * interval '1 millisecond'
       where id = $1 and attempts = $2 and status = 'pending' returning created_at as "createdAt"`,
      [
        delivery.id,
        delivery.attempts,
        outcome.kind === "delivered" ? "delivered" : final ? "failed" : "pending",
        outcome.statusCode ?? null,
        outcome.error ?? null,
        outcome.kind === "delivered" ? null : (outcome.pauseMs ?? null),
      ],
    );
    if (kept === undefined || !final || outcome.kind === "delivered") return { disabled: false, mailId: undefined };
    const lasting = outcome.kind === "gone" || !(await deliveredSince(sql, delivery.endpointId, kept.createdAt));
    if (!lasting) return { disabled: false, mailId: undefined };
    return disableEndpoint(
      sql,
      secretsKey,
      delivery,
      outcome.kind === "gone" ? outcome.error : `no delivery succeeded for days; the last time ${outcome.error}`,
    );
  });
}

export interface Recorded {
  /** This attempt was the last straw for its endpoint. */
  disabled: boolean;
  /** The mail about it, when there is somebody to tell. */
  mailId: string | undefined;
}

async function deliveredSince(sql: Sql, endpointId: string, since: Date): Promise<boolean> {
  const rows = await sql.query(
    "select 1 from webhook_deliveries where endpoint_id = $1 and status = 'delivered' and last_attempt_at > $2 limit 1",
    [endpointId, since],
  );
  return rows.length > 0;
}

async function disableEndpoint(
  sql: Sql,
  secretsKey: SecretsKey,
  { endpointId, orgId, url, eventId }: ClaimedDelivery,
  reason: string,
): Promise<Recorded> {
  const disabled = await sql.query(
    "update webhook_endpoints set status = 'disabled', disabled_reason = $2 where id = $1 and status = 'active' and deleted_at is null returning id",
    [endpointId, reason],
  );
  if (disabled.length === 0) return { disabled: false, mailId: undefined };
  await sql.query(
    "update webhook_deliveries set status = 'failed', next_attempt_at = null, last_error = 'the endpoint was disabled' where endpoint_id = $1 and status = 'pending'",
    [endpointId],
  );
  const [organization] = await sql.query<{ name: string; contact_email: string | null }>(
    "select name, contact_email from organizations where id = $1",
    [orgId],
  );
  if (organization?.contact_email == null) return { disabled: true, mailId: undefined };
  const mailId = await queueMail(sql, secretsKey, {
    template: "webhook_disabled",
    // An endpoint that is set active again may fail again, at another event.
    dedupeKey: `webhook_disabled:${endpointId}:${eventId}`,
    recipient: organization.contact_email,
    data: { organization_name: organization.name, endpoint_id: endpointId, url, reason },
  });
  return { disabled: true, mailId };
}
