import { seal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { newWebhookSecret, secretContext } from "./webhook-secret.ts";

export interface WebhookEndpoint {
  id: string;
  url: string;
  events: string[];
  description: string | null;
  status: "active" | "disabled";
  disabled_reason: string | null;
  created_at: Date;
  /** `created_at` with all its microseconds: what pages go by. */
  position: string;
}

const COLUMNS = `id, url, events, description, status, disabled_reason, created_at, (created_at at time zone 'utc')::text || '+00' as position`;

/** After a rotation both secrets sign, for this long. */
export const ROTATION_HOURS = 24;
/** Endpoints of one organisation: each event is sent to every one of them. */
export const MAX_ENDPOINTS = 50;

export interface EndpointInput {
  orgId: string;
  url: string;
  events: string[];
  description: string | undefined;
  secret: string | undefined;
}

/** @returns the endpoint and its secret, which cannot be shown again, or undefined when the organisation has MAX_ENDPOINTS. */
export async function createEndpoint(
  sql: Sql,
  secretsKey: SecretsKey,
  input: EndpointInput,
): Promise<{ endpoint: WebhookEndpoint; secret: string } | undefined> {
  const id = newId("whe");
  const secret = input.secret ?? newWebhookSecret();
  const [endpoint] = await sql.query<WebhookEndpoint>(
    `insert into webhook_endpoints (id, org_id, url, events, description, sealed_secret)
     select $1, $2, $3, $4::text[], $5, $6
     where (select count(*) from webhook_endpoints where org_id = $2 and deleted_at is null) < ${MAX_ENDPOINTS}
     returning ${COLUMNS}`,
    [id, input.orgId, input.url, input.events, input.description ?? null, seal(secretsKey, secretContext(id), secret)],
  );
  return endpoint === undefined ? undefined : { endpoint, secret };
}

/** One page, oldest first; one row more than `limit` says that there is another. */
export async function listEndpoints(
  sql: Sql,
  orgId: string,
  limit: number,
  after: string[] | undefined,
): Promise<WebhookEndpoint[]> {
  return sql.query<WebhookEndpoint>(
    `select ${COLUMNS} from webhook_endpoints
     where org_id = $1 and deleted_at is null and ($3::timestamptz is null or (created_at, id) > ($3::timestamptz, $4::text))
     order by created_at, id limit $2`,
    [orgId, limit + 1, after?.[0] ?? null, after?.[1] ?? null],
  );
}

export async function findEndpoint(sql: Sql, orgId: string, id: string): Promise<WebhookEndpoint | undefined> {
  const [endpoint] = await sql.query<WebhookEndpoint>(
    `select ${COLUMNS} from webhook_endpoints where id = $1 and org_id = $2 and deleted_at is null`,
    [id, orgId],
  );
  return endpoint;
}

export interface EndpointChange {
  url?: string | undefined;
  events?: string[] | undefined;
  description?: string | null | undefined;
  status?: "active" | "disabled" | undefined;
}

/** What is undefined stays. Becoming active clears the reason for which it was disabled. */
export async function changeEndpoint(
  sql: Sql,
  orgId: string,
  id: string,
  change: EndpointChange,
): Promise<WebhookEndpoint | undefined> {
  const [endpoint] = await sql.query<WebhookEndpoint>(
    `update webhook_endpoints set
       url = coalesce($3, url), events = coalesce($4::text[], events),
       description = case when $5 then $6 else description end,
       status = coalesce($7, status),
       disabled_reason = case $7 when 'active' then null when 'disabled' then coalesce(disabled_reason, 'disabled by its owner') else disabled_reason end
     where id = $1 and org_id = $2 and deleted_at is null returning ${COLUMNS}`,
    [
      id,
      orgId,
      change.url ?? null,
      change.events ?? null,
      change.description !== undefined,
      change.description ?? null,
      change.status ?? null,
    ],
  );
  return endpoint;
}

/** Gives an endpoint a new secret; the one before goes on signing beside it for ROTATION_HOURS. */
export async function rotateSecret(
  sql: Sql,
  secretsKey: SecretsKey,
  orgId: string,
  id: string,
): Promise<{ secret: string; previousUntil: Date } | undefined> {
  const secret = newWebhookSecret();
  const [row] = await sql.query<{ previous_secret_until: Date }>(
    `update webhook_endpoints set sealed_previous_secret = sealed_secret, sealed_secret = $3,
       previous_secret_until = date_trunc('second', now() + make_interval(hours => ${ROTATION_HOURS}))
     where id = $1 and org_id = $2 and deleted_at is null returning previous_secret_until`,
    [id, orgId, seal(secretsKey, secretContext(id), secret)],
  );
  return row === undefined ? undefined : { secret, previousUntil: row.previous_secret_until };
}

/** Its history stays for as long as events are kept. @returns false when there is none. */
export async function deleteEndpoint(sql: Sql, orgId: string, id: string): Promise<boolean> {
  const rows = await sql.query(
    "update webhook_endpoints set deleted_at = now() where id = $1 and org_id = $2 and deleted_at is null returning id",
    [id, orgId],
  );
  return rows.length > 0;
}
