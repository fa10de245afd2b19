import { type Sql, sqlOn } from "../../database.ts";
import { isoMillis, isoSeconds } from "../../http/iso-time.ts";
import { retryDelivery } from "../../webhooks/webhook-deliveries.ts";
import { type CommandIo, defineCommand, ORG } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { onPostgres } from "./with-servers.ts";

const STATUSES = ["pending", "delivered", "failed"] as const;
/** Deliveries that are shown, and those that are sent again between two looks. */
const PAGE = 500;

interface DeliveryRow {
  id: string;
  org_id: string;
  created_at: Date;
  last_attempt_at: Date | null;
  position: string;
}

interface Wanted {
  endpoint: string | undefined;
  status: string;
  since: string | undefined;
}

/** A page of deliveries of all organisations, oldest first. */
const pageOf = (
  sql: Sql,
  { endpoint, status, since }: Wanted,
  after: DeliveryRow | undefined,
): Promise<DeliveryRow[]> =>
  sql.query<DeliveryRow>(
    `select d.id, endpoint.org_id, d.endpoint_id, event.type as event_type, d.status, d.attempts, d.last_attempt_at,
            d.last_status_code as response_status, d.last_error as error, d.created_at, d.created_at::text as position
     from webhook_deliveries d join events event on event.id = d.event_id join webhook_endpoints endpoint on endpoint.id = d.endpoint_id
     where endpoint.deleted_at is null and d.status = $1 and ($2::text is null or d.endpoint_id = $2)
       and ($3::timestamptz is null or d.created_at >= $3) and ($4::timestamptz is null or (d.created_at, d.id) > ($4::timestamptz, $5::text))
     order by d.created_at, d.id limit ${PAGE}`,
    [status, endpoint ?? null, since ?? null, after?.position ?? null, after?.id ?? null],
  );

function wantedOf(flags: { endpoint: string | undefined; since: string | undefined }, status: string): Wanted {
  if (!STATUSES.some((known) => known === status)) throw new CliMistake(`--status: want one of ${STATUSES.join(", ")}`);
  if (flags.since !== undefined && Number.isNaN(Date.parse(flags.since)))
    throw new CliMistake("--since: want a time such as 2026-05-01T10:00:00Z");
  return { endpoint: flags.endpoint, since: flags.since, status };
}

/** Starts the schedule of one delivery, or of all that failed for an endpoint, anew. */
async function replay(
  flags: { id: string | undefined; endpoint: string | undefined; since: string | undefined },
  io: CommandIo,
): Promise<void> {
  if ((flags.id === undefined) === (flags.endpoint === undefined))
    throw new CliMistake("want --id, or --endpoint with or without --since");
  await onPostgres(io, async (pool) => {
    const sql = sqlOn(pool);
    let replayed = 0;
    const once = async (id: string, orgId: string) => {
      const outcome = await retryDelivery(sql, orgId, id);
      if (outcome === "endpoint_disabled")
        throw new CliMistake(
          `the endpoint of ${id} is disabled: enable it first (PATCH /api/v1/webhooks/endpoints/{endpoint_id} with status "active")`,
        );
      if (outcome !== "not_found") replayed += 1;
    };
    if (flags.id !== undefined) {
      const [row] = await sql.query<{ org_id: string }>(
        `select e.org_id from webhook_deliveries d join webhook_endpoints e on e.id = d.endpoint_id where d.id = $1`,
        [flags.id],
      );
      if (row !== undefined) await once(flags.id, row.org_id);
      if (replayed === 0) throw new CliMistake(`there is no delivery ${flags.id}: \`webhooks deliveries\` shows them`);
    } else {
      const wanted = wantedOf(flags, "failed");
      for (let after: DeliveryRow | undefined; !io.signal.aborted;) {
        const page: DeliveryRow[] = await pageOf(sql, wanted, after);
        for (const row of page) await once(row.id, row.org_id);
        if (page.length < PAGE) break;
        after = page.at(-1);
      }
    }
    io.print({ replayed });
  });
}

const ENDPOINT = { value: "ENDPOINT_ID", help: "as `webhooks list` has it" } as const;
const SINCE = { value: "TIME", help: "of events since, such as 2026-05-01T10:00:00Z" } as const;

/** Webhooks: who is told, and what did not come through. */
export const webhookCommands = [
  defineCommand({
    name: "webhooks list",
    summary: "Prints an organisation's webhook endpoints, oldest first, without their secrets.",
    flags: { org: ORG },
    examples: ["webhooks list"],
    columns: ["id", "status", "url", "pending", "failed", "disabled_reason"],
    reads: true,
    run: ({ org }, io) =>
      onPostgres(io, async (pool) => {
        const sql = sqlOn(pool);
        const rows = await sql.query<{ created_at: Date }>(
          `select e.id, e.url, e.events, e.status, e.disabled_reason, e.created_at,
                  (select count(*)::int from webhook_deliveries d where d.endpoint_id = e.id and d.status = 'pending') as pending,
                  (select count(*)::int from webhook_deliveries d where d.endpoint_id = e.id and d.status = 'failed') as failed
           from webhook_endpoints e where e.org_id = $1 and e.deleted_at is null order by e.created_at, e.id`,
          [await findOrganization(sql, org)],
        );
        for (const row of rows) io.print({ ...row, created_at: isoSeconds(row.created_at) });
      }),
  }),
  defineCommand({
    name: "webhooks deliveries",
    summary: `Prints webhook deliveries of all organisations, oldest first: at most ${PAGE}.`,
    flags: {
      status: { value: "STATUS", help: `${STATUSES.join(", ")}; failed, if nothing is said`, choices: STATUSES },
      endpoint: ENDPOINT,
      since: SINCE,
    },
    examples: ["webhooks deliveries --status failed"],
    columns: ["id", "event_type", "endpoint_id", "attempts", "last_attempt_at", "response_status", "error"],
    reads: true,
    run: (flags, io) =>
      onPostgres(io, async (pool) => {
        for (const { position: _, ...row } of await pageOf(
          sqlOn(pool),
          wantedOf(flags, flags.status ?? "failed"),
          undefined,
        ))
          io.print({
            ...row,
            created_at: isoMillis(row.created_at),
            last_attempt_at: row.last_attempt_at && isoMillis(row.last_attempt_at),
          });
      }),
  }),
  defineCommand({
    name: "webhooks replay",
    summary: "Sends a webhook once more, or all that failed for an endpoint.",
    more: "Its schedule begins anew, and the receiver sees the same webhook-id as before.",
    flags: { id: { value: "DELIVERY_ID", help: "as `webhooks deliveries` has it" }, endpoint: ENDPOINT, since: SINCE },
    examples: [
      "webhooks replay --id whd_00000000000000000000000001",
      "webhooks replay --endpoint whe_00000000000000000000000001 --since 2026-05-01T00:00:00Z",
    ],
    run: replay,
  }),
];
