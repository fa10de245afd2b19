import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import type { Scope } from "../http/route.ts";
import { maskSecretSettings } from "../message-log/mask-secrets.ts";
import { maskTokens } from "../message-log/mask-tokens.ts";
import { seesTokens, TOKENS_MASKED } from "../message-log/token-scope.ts";
import { DEAD_LETTER_STATUSES, type DeadLetterRow } from "./dead-letter-rows.ts";

const FIELDS = {
  dead_letter_id: z.string(),
  status: z.enum(DEAD_LETTER_STATUSES),
  charge_point_id: z.string().nullable().describe("null: no charge point is known by that identity"),
  kind: z
    .enum(["from_charge_point", "to_charge_point", "event", "damaged_entry"])
    .describe("event: something that a gateway told of a connection or a command"),
  action: z.string().nullable(),
  ocpp_version: z.string().nullable(),
  received_at: isoTime().nullable().describe("by the gateway"),
  reason: z.string().describe("why it was set aside"),
  set_aside_at: isoTime(),
  tries: z.number().int().describe("replays so far"),
  last_try: z
    .strictObject({ at: isoTime(), reason: z.string().nullable().describe("why it failed; null: it was applied") })
    .nullable(),
  closed: z
    .strictObject({ at: isoTime(), by: z.string(), reason: z.string().nullable().describe("of a discarded one") })
    .nullable()
    .describe("by whom it was replayed or discarded: an API key, or cli: and an account"),
  lane_id: z.string(),
  entry_id: z.string(),
  frame_index: z.number().int().describe("its place in the entry"),
};

export const deadLetter = named("DeadLetter", z.strictObject(FIELDS));

export const wholeDeadLetter = named(
  "WholeDeadLetter",
  z.strictObject({
    ...FIELDS,
    text: z.string().nullable().describe(`the frame, secrets masked; tokens ${TOKENS_MASKED}`),
    answer: z.string().nullable().describe("what the charge point was answered, as far as it was stored with it"),
    epoch: z.number().int().nullable().describe("of the connection"),
    seq: z.number().int().nullable().describe("number within the connection"),
    entry_base64: z.string().nullable().describe("of a damaged entry: its bytes"),
  }),
);

const KINDS: Record<string, z.output<typeof FIELDS.kind>> = {
  inbound: "from_charge_point",
  outbound: "to_charge_point",
  event: "event",
};

/** As the REST API and the command line show it in lists. */
export function shownDeadLetter(row: DeadLetterRow): z.output<typeof deadLetter> {
  const kind = KINDS[row.kind ?? ""] ?? "damaged_entry";
  const closedAt = row.replayedAt ?? row.discardedAt;
  return {
    dead_letter_id: row.id,
    status: row.status,
    charge_point_id: row.chargePointId,
    kind,
    action: kind === "event" ? null : actionIn(row.begin),
    ocpp_version: row.ocppVersion,
    received_at: row.receivedAt && isoMillis(row.receivedAt),
    reason: row.reason,
    set_aside_at: isoMillis(row.setAsideAt),
    tries: row.tries,
    last_try: row.triedAt && {
      at: isoMillis(row.triedAt),
      reason: row.status === "replayed" ? null : row.lastReason,
    },
    closed: closedAt && {
      at: isoMillis(closedAt),
      by: row.replayedBy ?? row.discardedBy ?? "",
      reason: row.discardReason,
    },
    lane_id: row.laneId,
    entry_id: row.entryId,
    frame_index: row.frameIndex,
  };
}

/** The same with the frame itself. */
export function shownWhole(
  row: DeadLetterRow & { frame: unknown },
  scopes: readonly Scope[],
): z.output<typeof wholeDeadLetter> {
  const frame = (typeof row.frame === "object" && row.frame !== null ? row.frame : {}) as Record<string, unknown>;
  const shown = (text: unknown) => {
    if (typeof text !== "string") return null;
    const withoutSecrets = maskSecretSettings(text);
    return seesTokens(scopes) ? withoutSecrets : maskTokens(withoutSecrets);
  };
  const integer = (value: unknown) => (Number.isSafeInteger(value) ? (value as number) : null);
  return {
    ...shownDeadLetter(row),
    text: shown(frame["text"]),
    answer: shown(frame["answer"]),
    epoch: integer(frame["epoch"]),
    seq: integer(frame["seq"]),
    entry_base64: typeof frame["entry_base64"] === "string" ? frame["entry_base64"] : null,
  };
}

/** The action of a CALL or SEND, out of the beginning of its text. */
const actionIn = (begin: string | null): string | null =>
  /^\s*\[\s*[26]\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*"([A-Za-z0-9]{1,64})"/.exec(begin ?? "")?.[1] ?? null;
