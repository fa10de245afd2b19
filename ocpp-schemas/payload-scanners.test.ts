// Scanners against JSON.parse and the validators, which decide. SCANNER_FRAMES=… damages more payloads, SCANNER_SEED=… others.

import { isUtf8 } from "node:buffer";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import { actionsOf, isStationAction } from "./actions.ts";
import { compileScanners } from "./generation/compile-scanners.ts";
import type { JsonSchema, SchemaSet } from "./generation/json-schema.ts";
import { readSchemaSet, SCHEMA_FILES } from "./generation/read-schema-set.ts";
import { maximalPayload, samplePayload } from "./generation/sample-payloads.ts";
import { payloadScanner, transactionUpdateScanner, type PayloadScanner } from "./payload-scanners.ts";
import { Chance } from "./test/chance.ts";
import { damagedPayload } from "./test/damaged-payload.ts";
import { plainPayload } from "./test/plain-payload.ts";
import { scannerSettings } from "./test/scanner-settings.ts";
import { validatePayload } from "./validators.ts";

const sets = SCHEMA_FILES.map((source) => readSchemaSet(source));

interface Scanned {
  version: OcppVersion;
  action: string;
  schema: JsonSchema;
  definitions: SchemaSet["definitions"];
  scan: PayloadScanner;
}

/** Everything that stations send, in every version. */
const scanned: Scanned[] = sets.flatMap((set) =>
  actionsOf(set.version)
    .filter((action) => isStationAction(set.version, action))
    .map((action) => scannedBy(set, action, payloadScanner(set.version, action))),
);

function scannedBy({ version, messages, definitions }: SchemaSet, action: string, scan?: PayloadScanner): Scanned {
  const message = messages.find((candidate) => candidate.action === action && candidate.kind === "request");
  if (message === undefined || scan === undefined) throw new Error(`${version} ${action} has no scanner`);
  return { version, action, schema: message.schema, definitions, scan };
}

const FRAME = Buffer.alloc(4 * 1024 * 1024);

/** What the scanner says of the payload within a frame. Behind the frame stands a 0, and then more of what it looks for. */
function scan({ scan: scanner, action }: Scanned, payload: string): { frame: Buffer; at: number; end: number } {
  const at = FRAME.write(`[2,"1","${action}",`, "latin1");
  const length = at + FRAME.write(`${payload}]`, at, "latin1");
  FRAME[length] = 0;
  FRAME.write(`${payload}"}]}]}`, length + 1, "latin1");
  return { frame: FRAME.subarray(0, length), at, end: scanner(FRAME, at) };
}

/** Whether JSON.parse and the validator accept the bytes. */
function isValid({ version, action }: Scanned, bytes: Buffer): boolean {
  try {
    const payload: unknown = JSON.parse(bytes.toString("utf8"));
    return isUtf8(bytes) && validatePayload(version, action, "request", payload) === undefined;
  } catch {
    return false;
  }
}

/** "open", or "surely valid" where it is; a fault where it is not, or where the payload does not end where it was said to. */
function verdict(of: Scanned, payload: string): "open" | "surely valid" | "fault" {
  const { frame, at, end } = scan(of, payload);
  if (end === -1) return "open";
  // Of a text that begins with `{` at most one part from there on is a JSON object.
  return isValid(of, frame.subarray(at, end)) ? "surely valid" : "fault";
}

const titled = scanned.map((of) => [of.version, of.action, of] as const);
const perAction = Math.ceil(scannerSettings.frames / scanned.length);

/** Damaged payloads, and what is said of them. */
function* damagedVerdicts(
  of: Scanned,
  count: number,
): Generator<{ payload: string; said: ReturnType<typeof verdict> }> {
  const chance = new Chance(scannerSettings.seed);
  for (let i = 0; i < count; i++) {
    const payload = damagedPayload(plainPayload(of.schema, of.definitions, chance), chance);
    yield { payload, said: verdict(of, payload) };
  }
}

test.each(titled)(
  "%s %s: what is plain is recognised, with all its fields or few, spaced or not",
  (version, action, of) => {
    const plain = (payload: unknown) => JSON.stringify(payload).replaceAll("é", "e");
    const { schema, definitions } = of;
    expect(verdict(of, plain(samplePayload(schema, definitions, false)))).toBe("surely valid");
    // In 2.x `data` may be any JSON. The sample has a list there, which is for JSON.parse to read.
    const expected = version !== "1.6" && action === "DataTransfer" ? "open" : "surely valid";
    expect(verdict(of, plain(samplePayload(schema, definitions, true)))).toBe(expected);
    expect(verdict(of, plain(maximalPayload(schema, definitions)))).toBe(expected);

    const chance = new Chance(scannerSettings.seed);
    for (let i = 0; i < Math.max(20, perAction / 20); i++) {
      const payload = plainPayload(schema, definitions, chance);
      const { frame, end } = scan(of, payload);
      if (end !== frame.length - 1) expect.unreachable(`not recognised: ${payload.slice(0, 2_000)}`);
      expect(isValid(of, Buffer.from(payload, "latin1"))).toBe(true);
    }
  },
);

// Broken once on purpose (scanner-primitives.ts, scanner-code.ts), each alone, it fails: with bytes from 0x80 on or control
// characters taken for text, leading zeros, 31 days in every month, 29 in February of 1900, any number of digits behind a
// second, a 60th second, a 24th hour, a text one too long, no colon, a form feed for white space, a comma behind the last
// field, any fields missing.
test.each(titled)("%s %s: of damaged payloads none is called valid that is not", (_version, _action, of) => {
  for (const { payload, said } of damagedVerdicts(of, perAction))
    if (said === "fault") expect.unreachable(`called valid: ${payload.slice(0, 2_000)}`);
});

describe("a scanner of other schemas than the validator's is found out by damaged payloads", () => {
  const places: [string, OcppVersion, string, string | undefined, (schema: JsonSchema) => void][] = [
    ["a longer text", "1.6", "Authorize", undefined, (schema) => void (schema.properties!["idTag"]!.maxLength = 21)],
    ["a field that may be missing", "1.6", "StartTransaction", undefined, (schema) => void schema.required!.pop()],
    [
      "a field more",
      "1.6",
      "BootNotification",
      undefined,
      (schema) => void (schema.properties!["xiccid"] = { type: "string" }),
    ],
    [
      "a word more",
      "2.0.1",
      "StatusNotification",
      "ConnectorStatusEnumType",
      (schema) => void schema.enum!.push("xAvailable"),
    ],
    [
      "an empty list",
      "2.0.1",
      "MeterValues",
      undefined,
      (schema) => void delete schema.properties!["meterValue"]!.minItems,
    ],
    [
      "a longer list",
      "2.0.1",
      "Authorize",
      undefined,
      (schema) => void (schema.properties!["iso15118CertificateHashData"]!.maxItems = 5),
    ],
    [
      "a lower number",
      "2.1",
      "StatusNotification",
      undefined,
      (schema) => void (schema.properties!["evseId"]!.minimum = -1),
    ],
    [
      "a fraction",
      "1.6",
      "StopTransaction",
      undefined,
      (schema) => void (schema.properties!["meterStop"]!.type = "number"),
    ],
    ["customData of nobody", "2.0.1", "Heartbeat", "CustomDataType", (schema) => void delete schema.required],
    [
      "any text for a time",
      "1.6",
      "StartTransaction",
      undefined,
      (schema) => void delete schema.properties!["timestamp"]!.format,
    ],
  ];
  test.each(places)("%s (%s %s)", async (_what, version, action, className, change) => {
    const original = sets.find((set) => set.version === version)!;
    const other = structuredClone(original);
    const message = other.messages.find((candidate) => candidate.action === action && candidate.kind === "request")!;
    change(className === undefined ? message.schema : other.definitions.get(className)!);
    const of = scannedBy(original, action, (await compiled({ ...other, messages: [message] })).get(action));
    expect([...damagedVerdicts(of, 20_000)].some(({ said }) => said === "fault")).toBe(true);
  });
});

async function compiled(set: SchemaSet): Promise<ReadonlyMap<string, PayloadScanner>> {
  const code = encodeURIComponent(await compileScanners(set));
  return (
    (await import(/* @vite-ignore */ `data:text/javascript,${code}`)) as { scanners: Map<string, PayloadScanner> }
  ).scanners;
}

test("what only JSON.parse may judge is left open, valid or not", () => {
  const of = scanned.find(({ version, action }) => version === "1.6" && action === "StatusNotification")!;
  const payload = (more: string) => `{"connectorId":1,"errorCode":"NoError","status":"Available"${more}}`;
  expect(verdict(of, payload(""))).toBe("surely valid");
  const open = [
    ',"connectorId":1', // JSON.parse keeps the last, whatever the first was
    ',"info":"caf\u00e9"',
    ',"info":"\\u0041"',
    ',"inf\\u006f":"a"',
    ',"info":"\u0001"',
    ',"info":null',
    ',"more":1',
    ',"__proto__":{}',
    ',"timestamp":"2016-12-31T23:59:60Z"',
  ];
  expect(open.filter((more) => verdict(of, payload(more)) !== "open")).toEqual([]);
  // The number JSON writes in many ways; the usual one is read.
  const numbered = (number: string) => verdict(of, payload("").replace("1", number));
  expect(["0", "-1", "999999999999999"].map(numbered)).toEqual(["surely valid", "surely valid", "surely valid"]);
  expect(
    ["01", "1.0", "1e0", "9007199254740993", "+1", "-", "--1", "0x1", "1_0"].filter(
      (number) => numbered(number) !== "open",
    ),
  ).toEqual([]);
});

test("a frame that breaks off is open at every byte, though more stands behind it", () => {
  const of = scanned.find(({ version, action }) => version === "2.0.1" && action === "TransactionEvent")!;
  const payload = JSON.stringify(samplePayload(of.schema, of.definitions, true)).replaceAll("é", "e");
  const bytes = Buffer.alloc(payload.length + 1);
  for (let length = 0; length < payload.length; length++) {
    bytes.write(payload, "latin1");
    bytes[length] = 0;
    expect(of.scan(bytes, 0)).toBe(-1);
    // Nothing is read behind the 0 either: there may be no more of the array.
    expect(of.scan(bytes.subarray(0, length + 1), 0)).toBe(-1);
  }
});

test("an action with a constraint that scanners do not know has none", async () => {
  const set = sets.find(({ version }) => version === "2.0.1")!;
  const withField = (schema: JsonSchema) => ({
    action: "Heartbeat",
    kind: "request" as const,
    schema: {
      type: "object" as const,
      additionalProperties: false,
      properties: { known: { type: "boolean" as const }, field: schema },
    },
  });
  const has = async (schema: JsonSchema) =>
    (await compiled({ ...set, messages: [withField(schema)] })).has("Heartbeat");
  expect(await has({ type: "integer", minimum: 0 })).toBe(true);
  const unknown: JsonSchema[] = [
    { type: "number", multipleOf: 0.1 },
    { type: "number", minimum: 0.5 },
    { type: "string", format: "uri" },
    { type: "string", format: "date-time", maxLength: 30 },
    { type: "string", enum: ["A"], maxLength: 3 },
    { type: "integer", enum: ["A"] },
    { type: "array" },
    { type: "object", required: ["missing"] },
    { $ref: "NoSuchType" },
    { enum: ["A"] },
    { ...{ type: "string", pattern: "^a" } },
  ];
  expect(await Promise.all(unknown.map(has))).toEqual(unknown.map(() => false));
});

test.each(["2.0.1", "2.1"] as const)(
  "%s: a plain update is a valid TransactionEvent, Updated, without an idToken",
  (version) => {
    const set = sets.find((candidate) => candidate.version === version)!;
    const of = scannedBy(set, "TransactionEvent", payloadScanner(version, "TransactionEvent"));
    const update = scannedBy(set, "TransactionEvent", transactionUpdateScanner(version));
    const chance = new Chance(scannerSettings.seed);
    const seen = { plain: 0, other: 0 };
    for (let i = 0; i < 2_000; i++) {
      const payload = plainPayload(of.schema, of.definitions, chance);
      const { eventType, idToken } = JSON.parse(payload) as { eventType: string; idToken?: object };
      const isPlain = eventType === "Updated" && idToken === undefined;
      seen[isPlain ? "plain" : "other"]++;
      if (verdict(update, payload) !== (isPlain ? "surely valid" : "open")) expect.unreachable(payload.slice(0, 2_000));
      const damaged = damagedPayload(payload, chance);
      if (verdict(update, damaged) !== "open" && verdict(of, damaged) !== "surely valid")
        expect.unreachable(damaged.slice(0, 2_000));
    }
    expect(Math.min(seen.plain, seen.other)).toBeGreaterThan(100);
  },
);

test("only what stations send is scanned", () => {
  expect(transactionUpdateScanner("1.6")).toBeUndefined();
  expect(payloadScanner("1.6", "RemoteStartTransaction")).toBeUndefined();
  expect(payloadScanner("1.6", "TransactionEvent")).toBeUndefined();
  expect(payloadScanner("2.1", "__proto__")).toBeUndefined();
});
