import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import type { Scope } from "../http/route.ts";
import { shownPayload, TOKENS_MASKED } from "../message-log/token-scope.ts";

/** A command as the API shows it, while it runs and after. */
export const commandAnswer = named(
  "Command",
  z.strictObject({
    command_id: z.string(),
    charge_point_id: z.string(),
    command: z.string().describe("the OCPP action"),
    payload: z.unknown().describe(`as sent, secrets masked; tokens are ${TOKENS_MASKED}`),
    status: z
      .enum(["queued", "sent", "accepted", "rejected", "error", "timeout", "not_connected", "unknown"])
      .describe(
        "queued and sent are still under way; the others are final. unknown: perhaps carried out, the connection changed",
      ),
    response: z
      .unknown()
      .describe(`the charge point's answer as it came; null without one. Tokens are ${TOKENS_MASKED}`),
    error: z
      .strictObject({ code: z.string(), description: z.string(), details: z.unknown().optional() })
      .optional()
      .describe("the charge point's CALLERROR, or why its answer breaks the schema"),
    reason: z.string().optional().describe("why there is no answer; of one that waits: why it was not sent yet"),
    deliver: z.enum(["now", "when_connected"]),
    valid_until: isoTime().optional().describe("only with when_connected: it is not sent later"),
    last_seen_at: isoTime()
      .nullable()
      .optional()
      .describe("only with not_connected: when anything last came from the charge point; null: never"),
    requested_at: isoTime(),
    sent_at: isoTime().nullable(),
    response_time_ms: z.int().nullable().describe("from sending to the answer"),
  }),
);
export type CommandAnswer = z.output<typeof commandAnswer>;

/** For the API reference. */
export const COMMAND_EXAMPLE: CommandAnswer = {
  command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
  charge_point_id: "cp_01hxab1c2d3e",
  command: "TriggerMessage",
  payload: { requestedMessage: "Heartbeat" },
  status: "accepted",
  response: { status: "Accepted" },
  deliver: "now",
  requested_at: "2026-05-01T10:23:00.000Z",
  sent_at: "2026-05-01T10:23:00.012Z",
  response_time_ms: 148,
};

export const COMMAND_STATUSES = commandAnswer.shape.status.options;

export const FINAL = new Set<CommandAnswer["status"]>([
  "accepted",
  "rejected",
  "error",
  "timeout",
  "not_connected",
  "unknown",
]);

interface CommandRow {
  id: string;
  charge_point_id: string;
  action: string;
  payload: unknown;
  state: Exclude<CommandAnswer["status"], "queued"> | "queued" | "published";
  response: unknown;
  error: CommandAnswer["error"] | null;
  reason: string | null;
  created_at: Date;
  /** With all its microseconds: a cursor's key. */
  created_key: string;
  sent_at: Date | null;
  answered_at: Date | null;
  deliver: CommandAnswer["deliver"];
  valid_until: Date | null;
  last_seen_at: Date | null;
}

const COLUMNS = `c.id, s.charge_point_id, c.action, c.payload, c.state, c.response, c.error, c.reason, c.created_at,
  to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as created_key, c.sent_at, c.answered_at,
  c.deliver, c.valid_until, seen.last_seen_at
  from commands c join stations s on s.id = c.station_id left join station_seen seen on seen.station_id = s.id`;

/** Whom a command is shown to. */
export interface CommandReader {
  orgId: string;
  scopes: readonly Scope[];
}

/** The organisation's command with this id. */
export async function findCommand(
  sql: Sql,
  { orgId, scopes }: CommandReader,
  commandId: string,
): Promise<CommandAnswer | undefined> {
  const [row] = await sql.query<CommandRow>(`select ${COLUMNS} where c.id = $1 and c.org_id = $2`, [commandId, orgId]);
  return row && toAnswer(row, scopes);
}

/** Which commands of a station are listed. */
export interface CommandFilter {
  action?: string | undefined;
  status?: CommandAnswer["status"] | undefined;
}

/** Commands of a station, newest first, one more than `limit` where there are more. @param before keys of the last one seen. */
export async function listCommands(
  sql: Sql,
  stationId: string,
  scopes: readonly Scope[],
  { action, status }: CommandFilter,
  limit: number,
  before: readonly string[] | undefined,
): Promise<{ keys: string[]; answer: CommandAnswer }[]> {
  const rows = await sql.query<CommandRow>(
    `select ${COLUMNS} where c.station_id = $1 and ($2::timestamptz is null or (c.created_at, c.id) < ($2, $3))
       and ($5::text is null or c.action = $5) and ($6::text[] is null or c.state = any($6))
     order by c.created_at desc, c.id desc limit $4`,
    [
      stationId,
      before?.[0] ?? null,
      before?.[1] ?? null,
      limit + 1,
      action ?? null,
      status === undefined ? null : status === "queued" ? ["queued", "published"] : [status],
    ],
  );
  return rows.map((row) => ({ keys: [row.created_key, row.id], answer: toAnswer(row, scopes) }));
}

function toAnswer(row: CommandRow, scopes: readonly Scope[]): CommandAnswer {
  return {
    command_id: row.id,
    charge_point_id: row.charge_point_id,
    command: row.action,
    payload: shownPayload(row.payload, scopes),
    // Whether a gateway has it already is of no use to a client: it is not sent.
    status: row.state === "published" ? "queued" : row.state,
    response: shownPayload(row.response, scopes),
    ...(row.error == null ? {} : { error: shownError(row.error, scopes) }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.state === "not_connected" ? { last_seen_at: row.last_seen_at && isoMillis(row.last_seen_at) } : {}),
    deliver: row.deliver,
    ...(row.valid_until === null ? {} : { valid_until: isoMillis(row.valid_until) }),
    requested_at: isoMillis(row.created_at),
    sent_at: row.sent_at && isoMillis(row.sent_at),
    response_time_ms: row.sent_at && row.answered_at && row.answered_at.getTime() - row.sent_at.getTime(),
  };
}

const shownError = (error: NonNullable<CommandAnswer["error"]>, scopes: readonly Scope[]) =>
  error.details === undefined ? error : { ...error, details: shownPayload(error.details, scopes) };
