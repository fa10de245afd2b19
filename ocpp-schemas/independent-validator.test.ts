import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { OCPP16, OCPP20, OCPP21 } from "typed-ocpp";
import { expect, test } from "vitest";
import type { MessageSchema } from "./generation/json-schema.ts";
import { readSchemaSet, SCHEMA_FILES } from "./generation/read-schema-set.ts";
import { samplePayload, violations } from "./generation/sample-payloads.ts";
import { validatePayload } from "./validators.ts";

const THEIRS = { "1.6": OCPP16, "2.0.1": OCPP20, "2.1": OCPP21 };

/** typed-ocpp's opinion: it has its own copy of the published schemas and its own way to them. */
function theyAccept(version: OcppVersion, { action, kind }: MessageSchema, payload: unknown): boolean {
  const theirs = THEIRS[version] as unknown as {
    validateCall(frame: unknown): boolean;
    checkCallResult(frame: unknown, call: unknown): boolean;
  };
  const call = [2, "id", action, structuredClone(payload)];
  return kind === "request"
    ? theirs.validateCall(call)
    : theirs.checkCallResult([3, "id", structuredClone(payload)], call);
}

/** Where typed-ocpp's 1.6 schemas allow longer text than the specification's CiString500 and CiString50 (see patches.md). */
const THEY_ALLOW_MORE = new Set([
  "ChangeConfiguration request /value",
  "GetConfiguration response /configurationKey/0/value",
  "StatusNotification request /info",
]);

const sets = SCHEMA_FILES.map((source) => readSchemaSet(source));

test.each(sets)(
  "[F14] [F15] $version: payloads with only the required and with every field pass here and there",
  (set) => {
    const { version } = set;
    for (const message of set.messages) {
      for (const every of [false, true]) {
        const payload = samplePayload(message.schema, set.definitions, every);
        expect(validatePayload(version, message.action, message.kind, payload), message.action).toBeUndefined();
        expect(theyAccept(version, message, payload), message.action).toBe(true);
      }
    }
  },
  60_000,
);

test.each(sets)(
  "[C8] [F15] $version: each broken constraint is refused for what it is, at its place, and there too",
  (set) => {
    const { version } = set;
    const seen = new Map<string, number>();
    for (const message of set.messages) {
      for (const { payload, constraint, pointer, refusal } of violations(message.schema, set.definitions)) {
        const place = `${message.action} ${message.kind} ${pointer}`;
        const ours = validatePayload(version, message.action, message.kind, payload);
        expect({ refusal: ours?.refusal, pointer: ours?.pointer }, `${place} ${constraint}`).toEqual({
          refusal,
          pointer,
        });
        expect(ours?.description.length, place).toBeLessThanOrEqual(255);
        seen.set(constraint, (seen.get(constraint) ?? 0) + 1);
        // It strips unknown fields instead of refusing them.
        if (constraint === "additionalProperties" || (constraint === "maxLength" && THEY_ALLOW_MORE.has(place)))
          continue;
        expect(theyAccept(version, message, payload), `${place} ${constraint}`).toBe(false);
      }
    }
    const inAll = [
      "additionalProperties",
      "enum",
      "format",
      "fraction",
      "maxLength",
      "minItems",
      "null",
      "required",
      "type",
    ];
    const more = version === "1.6" ? ["multipleOf"] : ["maxItems", "maximum", "minimum"];
    expect([...seen.keys()].sort()).toEqual([...inAll, ...more].sort());
  },
  60_000,
);
