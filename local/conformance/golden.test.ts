import { actionsOf, directionOf, isCsmsAction, isSend, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import { differences, readGolden } from "./golden.ts";
import { CONFORMANCE_VERSIONS } from "./play-conformance.ts";
import { statusesOf, violationCases } from "./sample-cases.ts";

// The golden files were written from what the wire said. Here they are held against the specifications, case by case, so
// that a mistake of ours cannot become what is expected of us.

/** What breaks a schema → the word for it: [1.6, 2.x]. */
const CODE_OF: Record<string, [string, string]> = {
  required: ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"],
  minItems: ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"],
  maxItems: ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"],
  type: ["TypeConstraintViolation", "TypeConstraintViolation"],
  null: ["TypeConstraintViolation", "TypeConstraintViolation"],
  fraction: ["TypeConstraintViolation", "TypeConstraintViolation"],
  enum: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  maxLength: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  format: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  minimum: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  maximum: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  multipleOf: ["PropertyConstraintViolation", "PropertyConstraintViolation"],
  additionalProperties: ["FormationViolation", "FormatViolation"],
};
const codeOf = (version: OcppVersion, constraint: string) => CODE_OF[constraint]?.[version === "1.6" ? 0 : 1];

/** Without these fields, in their type, nobody can tell what transaction data is about (1.6 §4.7, §4.8, §4.10; 2.x E). */
const MINIMUM: Record<string, string[]> = {
  StartTransaction: ["/connectorId", "/idTag", "/meterStart", "/timestamp"],
  StopTransaction: ["/transactionId", "/meterStop", "/timestamp"],
  MeterValues: ["/connectorId", "/evseId", "/meterValue"],
  TransactionEvent: ["/eventType", "/timestamp", "/seqNo", "/transactionInfo"],
};
/** Mistakes that leave a field of the minimum readable. */
const STILL_READABLE = new Set([
  "format",
  "maxLength",
  "enum",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
  "additionalProperties",
]);
/** A meter reading may have a fraction; an id or a number in a sequence may not. */
const FRACTIONS = new Set(["/meterStart", "/meterStop"]);

function isReadable(action: string, constraint: string, pointer: string): boolean {
  const minimum = MINIMUM[action];
  if (minimum === undefined) return false;
  return (
    !minimum.includes(pointer) ||
    STILL_READABLE.has(constraint) ||
    (constraint === "fraction" && FRACTIONS.has(pointer))
  );
}

/** Statuses by which a station says that it did, or will do, what it was told. */
const YES = new Set(["Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked", "Unpublished"]);

describe.each(CONFORMANCE_VERSIONS)("%s", (version) => {
  test("[C8] [H6] [1.3-codes] every action of the station is there with every kind of mistake, in the version's words", () => {
    const golden = readGolden("station", version);
    expect(Object.keys(golden)).toEqual(actionsOf(version));
    for (const action of actionsOf(version).filter((name) => isStationAction(version, name))) {
      const send = isSend(version, action);
      const expected = Object.fromEntries([
        ...["minimal", "maximal"].map((name) => [name, send ? "silence" : "answered"]),
        ...violationCases(version, action, "request").map(({ name, mistake }) => {
          const { constraint, pointer } = mistake ?? { constraint: "", pointer: "" };
          if (send) return [name, "silence"];
          return [name, isReadable(action, constraint, pointer) ? "answered, flagged" : codeOf(version, constraint)];
        }),
      ]) as Record<string, string>;
      expect(golden[action], action).toEqual(expected);
    }
  });

  test("[1.3-not-implemented] what only the CSMS sends is refused, whoever knows it", () => {
    const golden = readGolden("station", version);
    for (const action of actionsOf(version).filter((name) => directionOf(version, name) === "csms"))
      expect([action, golden[action]]).toEqual([action, { minimal: "NotSupported" }]);
  });

  test("every command is there: refused payloads, statuses, and broken answers", () => {
    const golden = readGolden("csms", version);
    const ours = actionsOf(version).filter((name) => isCsmsAction(version, name));
    expect(Object.keys(golden)).toEqual([...ours, "Heartbeat"]);
    for (const action of ours) {
      const cases = golden[action] ?? {};
      for (const { name } of violationCases(version, action, "request"))
        expect([action, name, cases[`payload: ${name}`]]).toEqual([
          action,
          name,
          "422 validation_failed invalid_payload",
        ]);
      for (const status of statusesOf(version, action))
        expect([action, status, cases[`answered ${status}`]]).toEqual([
          action,
          status,
          YES.has(status) ? "accepted" : "rejected",
        ]);
      const [broken] = violationCases(version, action, "response");
      const code = codeOf(version, broken?.mistake?.constraint ?? "");
      expect(cases[`answer: ${broken?.name}`], action).toBe(
        version === "2.1" ? `error ${code}, CALLRESULTERROR ${code}` : `error ${code}`,
      );
      expect(cases["answered with a CALLERROR"], action).toBe("error NotSupported");
    }
  });
});

test("a case that is missing, new or different is told", () => {
  const expected = { Reset: { minimal: "answered", maximal: "answered" } };
  const observed = { Reset: { minimal: "answered", extra: "answered" }, New: { minimal: "silence" } };
  expect(differences("station", "1.6", expected, observed)).toEqual([
    "1.6 station → CSMS Reset, maximal: expected answered, got nothing: it did not run",
    "1.6 station → CSMS Reset, extra: expected no such case, got answered",
    "1.6 station → CSMS New, minimal: expected no such case, got silence",
  ]);
  expect(differences("csms", "1.6", expected, expected)).toEqual([]);
});
