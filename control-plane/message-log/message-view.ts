import { isAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { encodeCallResult } from "@dynamo-csms/proto/ocpp-frame";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { z } from "zod";
import type { Scope } from "../http/route.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { maskSecretSettings } from "./mask-secrets.ts";
import { maskTokens } from "./mask-tokens.ts";
import { seesTokens, TOKEN_SCOPE } from "./token-scope.ts";

const TYPES = { 2: "CALL", 3: "CALLRESULT", 4: "CALLERROR", 5: "CALLRESULTERROR", 6: "SEND" } as const;
export const direction = z.enum(["from_charge_point", "to_charge_point"]);
const type = z.enum(["CALL", "CALLRESULT", "CALLERROR", "CALLRESULTERROR", "SEND", "unreadable"]);
export const validation = z.enum(["ok", "flagged", "refused"]);

/** Frames may be as large as the gateways' limit; a page of such frames would be no page. */
export const SHOWN_CHARACTERS = 65_536;

export const message = named(
  "OcppMessage",
  z.object({
    received_at: isoTime(),
    direction,
    type,
    action: z
      .string()
      .nullable()
      .describe("the charge point's answer to a command of ours has that command's; null where nobody can tell"),
    message_id: z.string().nullable(),
    raw: z
      .string()
      .describe(
        `the frame's text, secrets masked, and tokens (idTag, idToken) too unless the key has the scope ${TOKEN_SCOPE}`,
      ),
    truncated: z
      .boolean()
      .describe(`only the first ${SHOWN_CHARACTERS} characters are shown; ask for it by its message_id for the rest`),
    answer: z
      .string()
      .nullable()
      .describe("the text of our answer; null for frames that get none, and where it cannot be told any more"),
    answer_source: z
      .enum(["stored", "derived"])
      .nullable()
      .describe("derived: not stored, because it follows from the action alone (its time from received_at)"),
    validation: validation.describe(
      "flagged: against its schema, and accepted all the same; refused: answered with a CALLERROR",
    ),
    error_code: z.string().nullable().describe("of that CALLERROR"),
    breaks_schema: z.boolean(),
    latency_ms: z
      .number()
      .int()
      .nullable()
      .describe(
        "from the frame to its answer: ours for the charge point's CALLs, the charge point's for ours; null for CALLs that the gateway answers by itself",
      ),
    node_id: z.string().nullable().describe("the gateway that held the connection"),
    connection: z.number().int().describe("grows with each connection of the unit"),
    epoch: z.number().int().describe("the same as `connection`"),
    seq: z.number().int().describe("number within the connection, both directions together"),
  }),
);

export interface MessageRow {
  epoch: string;
  seq: number;
  received_at: Date;
  direction: number;
  flagged: boolean;
  action: string | null;
  message_id: string | null;
  raw: string;
  truncated: boolean;
  answer: string | null;
  node_id: string | null;
  latency_ms: number | null;
}

/** SQL: of which command a frame of `message_log m` is the station's answer, by the primary key of `commands`. */
const ANSWERED_ACTION =
  "(select c.action from commands c where m.direction = 0 and c.id = m.message_id and c.station_id = m.station_id)";

/** SQL: whether a frame of `message_log m` is of an action; most rows tell without a look elsewhere. @param action SQL */
export const isOfAction = (action: string): string =>
  `(m.action = ${action} or (m.action is null and ${ANSWERED_ACTION} = ${action}))`;

/**
 * What a MessageRow is made of, to be read from `message_log m`. Our own CALLs have their times in `commands`, and what
 * stations answer has its action there: the message id is the command's. @param characters SQL for how much of a frame is wanted.
 */
export const messageColumns = (characters: string): string => `
  m.epoch::text as epoch, m.seq, m.received_at, m.direction, m.flagged, coalesce(m.action, ${ANSWERED_ACTION}) as action, m.message_id, substr(m.raw, 1, ${characters}) as raw,
  length(m.raw) > ${characters} as truncated, m.answer, m.node_id,
  case when m.direction = 0 then m.latency_ms
       else (select greatest(0, extract(epoch from c.answered_at - c.sent_at) * 1000)::int from commands c
             where c.id = m.message_id and c.station_id = m.station_id) end as latency_ms`;

/** @param version of the station's newest connection: which answers follow from their actions differs little. */
export function messageView(row: MessageRow, version: OcppVersion, scopes: readonly Scope[]): z.output<typeof message> {
  const shown = (text: string) => {
    const withoutSecrets = maskSecretSettings(text);
    return seesTokens(scopes) ? withoutSecrets : maskTokens(withoutSecrets);
  };
  const number = /^\s*\[\s*([2-6])\s*,/.exec(row.raw)?.[1];
  const kind = number === undefined ? "unreadable" : TYPES[Number(number) as keyof typeof TYPES];
  const error_code = errorCodeOf(row.answer);
  const derived = row.answer === null && kind === "CALL" && row.direction === 0 ? derivedAnswer(row, version) : null;
  return {
    received_at: isoMillis(row.received_at),
    direction: row.direction === 0 ? "from_charge_point" : "to_charge_point",
    type: kind,
    action: row.action,
    message_id: row.message_id,
    raw: shown(row.raw),
    truncated: row.truncated,
    answer: row.answer === null ? derived : shown(row.answer),
    answer_source: row.answer !== null ? "stored" : derived === null ? null : "derived",
    validation: error_code !== null ? "refused" : row.flagged ? "flagged" : "ok",
    error_code,
    breaks_schema: row.flagged,
    latency_ms: row.latency_ms,
    node_id: row.node_id,
    connection: Number(row.epoch),
    epoch: Number(row.epoch),
    seq: row.seq,
  };
}

/** Gateways store an answer only where it does not follow from the action: a CALLERROR always stands there. */
function errorCodeOf(answer: string | null): string | null {
  if (answer === null || !answer.startsWith("[4,")) return null;
  try {
    const [, , code] = JSON.parse(answer) as unknown[];
    return typeof code === "string" ? code : "";
  } catch {
    return "";
  }
}

/** An edge answer: without fields where the schema asks for none, the time for a Heartbeat. Others cannot be told here. */
function derivedAnswer(row: MessageRow, version: OcppVersion): string | null {
  const { action, message_id: id } = row;
  if (action === null || id === null || !isAction(version, action)) return null;
  const payload = action === "Heartbeat" ? { currentTime: isoMillis(row.received_at) } : {};
  const fits = validatePayload(version, action, "response", payload) === undefined;
  return fits ? encodeCallResult(id, JSON.stringify(payload)) : null;
}
