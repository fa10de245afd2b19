import type { Version } from "./raw-station.ts";

/** What comes back: `id:code` of a CALLERROR, `id` of a CALLRESULT, null for silence, a close code, or one of several. */
type Outcome = string | number | null | readonly number[];

export interface BadFrame {
  what: string;
  frame: string | Buffer;
  binary?: boolean;
  outcome: Record<Version, Outcome>;
}

const BOTH = (outcome: Outcome, newer: Outcome = outcome): BadFrame["outcome"] => ({
  "1.6": outcome,
  "2.0.1": newer,
  "2.1": newer,
});
/** What cannot be read has no answer in 1.6. */
const UNREADABLE = BOTH(null, "-1:RpcFrameworkError");
const BAD_FRAME = BOTH("a:FormationViolation", "a:RpcFrameworkError");
const UNKNOWN_ACTION = BOTH("a:NotImplemented");
const SILENCE = BOTH(null);
/** Of no version, or of 2.1 alone, where it is never answered. */
const UNKNOWN_TYPE = { "1.6": null, "2.0.1": "a:MessageTypeNotSupported", "2.1": null };
/** The library under the gateway sees these first, and then has no close code to say so. */
const TOO_BIG = BOTH([1006, 1009]);
const NOT_UTF8 = BOTH([1006, 1007]);
const BINARY = BOTH(1003);

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** What is no frame at all, whatever the version. */
export const NO_FRAMES: BadFrame[] = [
  { what: "nothing", frame: "", outcome: UNREADABLE },
  { what: "not JSON", frame: "}{", outcome: UNREADABLE },
  { what: "not JSON, of a megabyte", frame: "x".repeat(1_000_000), outcome: UNREADABLE },
  { what: "half a frame", frame: '[2,"a","Heartbeat",{', outcome: UNREADABLE },
  { what: "a byte order mark before it", frame: '\ufeff[2,"a","Heartbeat",{}]', outcome: UNREADABLE },
  { what: "an object", frame: "{}", outcome: UNREADABLE },
  { what: "a number", frame: "42", outcome: UNREADABLE },
  { what: "null", frame: "null", outcome: UNREADABLE },
  { what: "an empty array", frame: "[]", outcome: UNREADABLE },
  { what: "an array of a hundred thousand", frame: `[${"2,".repeat(100_000)}2]`, outcome: BOTH("2:ProtocolError") },
  { what: "nesting a hundred thousand deep", frame: nested(100_000), outcome: UNREADABLE },
  { what: "a type alone", frame: "[2]", outcome: UNREADABLE },
  { what: "a CALL without action", frame: '[2,"a"]', outcome: BAD_FRAME },
  { what: "a CALL without payload", frame: '[2,"a","Heartbeat"]', outcome: BOTH("a:ProtocolError") },
  { what: "an action that is a number", frame: '[2,"a",5,{}]', outcome: BAD_FRAME },
  { what: "a type that is a text", frame: '["2","a","Heartbeat",{}]', outcome: BAD_FRAME },
  {
    what: "type 7",
    frame: '[7,"a","Heartbeat",{}]',
    outcome: UNKNOWN_TYPE,
  },
  {
    what: "type -1",
    frame: '[-1,"a","Heartbeat",{}]',
    outcome: UNKNOWN_TYPE,
  },
  { what: "an id of 37 characters", frame: `[2,"${"x".repeat(37)}","Heartbeat",{}]`, outcome: UNREADABLE },
  { what: "an empty id", frame: '[2,"","Heartbeat",{}]', outcome: UNREADABLE },
  { what: "an id that is a number", frame: '[2,17,"Heartbeat",{}]', outcome: BOTH("17:ProtocolError") },
  { what: "an id that is a fraction", frame: '[2,1.5,"Heartbeat",{}]', outcome: UNREADABLE },
  { what: "an id that is null", frame: '[2,null,"Heartbeat",{}]', outcome: UNREADABLE },
  { what: "an answer to nothing", frame: '[3,"a",{}]', outcome: SILENCE },
  { what: "an error to nothing", frame: '[4,"a","GenericError","",{}]', outcome: SILENCE },
  { what: "an error without anything", frame: "[4]", outcome: SILENCE },
  {
    what: "an error whose code has a toString of its own",
    frame: '[4,"a",{"toString":1,"valueOf":1},"",{}]',
    outcome: SILENCE,
  },
  { what: "an error whose code is nested deeply", frame: `[4,"a",${nested(100_000)},"",{}]`, outcome: SILENCE },
  { what: "a CALLRESULTERROR to nothing", frame: '[5,"a","GenericError","",{}]', outcome: UNKNOWN_TYPE },
  { what: "a SEND of an unknown action", frame: '[6,"a","Nonsense",{}]', outcome: UNKNOWN_TYPE },
  { what: "a binary frame", frame: Buffer.from('[2,"a","Heartbeat",{}]'), binary: true, outcome: BINARY },
  { what: "bad UTF-8", frame: Buffer.from([0x5b, 0xff, 0xfe, 0x5d]), outcome: NOT_UTF8 },
  { what: "half a character in UTF-8", frame: Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), outcome: NOT_UTF8 },
  { what: "more than a mebibyte", frame: `[2,"a","Heartbeat",{"x":"${"x".repeat(1_048_576)}"}]`, outcome: TOO_BIG },
];

const call = (action: string, payload: string) => `[2,"a",${JSON.stringify(action)},${payload}]`;

/** Names that are no actions a station may send. */
export const NO_ACTIONS: BadFrame[] = [
  "Nonsense",
  "heartbeat",
  "HeartbeatRequest",
  "Reset",
  "",
  "__proto__",
  "constructor",
  "toString",
  "\u0000",
  "x".repeat(100_000),
].map((action) => ({
  what: `the action ${JSON.stringify(action.slice(0, 30))}`,
  frame: call(action, "{}"),
  outcome: action === "Reset" ? BOTH("a:NotSupported") : UNKNOWN_ACTION,
}));

/** The version's StatusNotification, with what is added to it. */
function status(version: Version, more: Record<string, unknown> = {}): Record<string, unknown> {
  return version === "1.6"
    ? { connectorId: 1, errorCode: "NoError", status: "Available", ...more }
    : { timestamp: "2026-01-01T00:00:00Z", connectorStatus: "Available", evseId: 1, connectorId: 1, ...more };
}

/** Payloads against the version's schema, and payloads that are odd but right. */
export function badPayloads(version: Version): BadFrame[] {
  const is16 = version === "1.6";
  const code = (older: string, newer = older) => BOTH(`a:${older}`, `a:${newer}`);
  const CARDINALITY = code("OccurenceConstraintViolation", "OccurrenceConstraintViolation");
  const FORM = code("FormationViolation", "FormatViolation");
  const TYPE = code("TypeConstraintViolation");
  const RANGE = code("PropertyConstraintViolation");
  const ANSWERED = BOTH("a");
  const one = (what: string, payload: unknown, outcome: BadFrame["outcome"]): BadFrame => ({
    what,
    frame: call("StatusNotification", typeof payload === "string" ? payload : JSON.stringify(payload)),
    outcome,
  });
  const text = (json: string) =>
    JSON.stringify(status(version, is16 ? { info: "@" } : { customData: { vendorId: "v", note: "@" } })).replace(
      '"@"',
      () => json,
    );
  const enumeration = is16 ? { status: "Fine" } : { connectorStatus: "Fine" };
  const tooLong = is16 ? { info: "x".repeat(51) } : { customData: { vendorId: "x".repeat(256) } };
  const keys = Array.from({ length: 100_000 }, (_, n) => `"${n.toString(36)}":1`).join();
  return [
    one("nothing in it", "{}", CARDINALITY),
    one("null for a payload", "null", CARDINALITY),
    one("a list for a payload", "[]", TYPE),
    one("a text for a payload", '"x"', TYPE),
    one("a wrong type", status(version, { connectorId: "one" }), TYPE),
    one("a fraction", status(version, { connectorId: 1.5 }), TYPE),
    one(
      "a number beyond all numbers",
      JSON.stringify(status(version)).replace('"connectorId":1', '"connectorId":1e400'),
      TYPE,
    ),
    one("a word that is none of them", status(version, enumeration), RANGE),
    one("a text that is too long", status(version, tooLong), RANGE),
    one(
      "half a megabyte in a short text",
      status(version, is16 ? { info: "x".repeat(500_000) } : { customData: { vendorId: "x".repeat(500_000) } }),
      RANGE,
    ),
    one("an unknown field", status(version, { nonsense: 1 }), FORM),
    one("a hundred thousand fields", `{${keys},${JSON.stringify(status(version)).slice(1)}`, FORM),
    one("__proto__", `{"__proto__":{"connectorId":1},${JSON.stringify(status(version)).slice(1)}`, FORM),
    one("constructor", status(version, { constructor: { prototype: {} } }), FORM),
    one("a key twice: the last counts", `{"connectorId":"one",${JSON.stringify(status(version)).slice(1)}`, ANSWERED),
    one("a NUL character", text('"\\u0000"'), ANSWERED),
    one("half a character", text('"\\ud800 \\udfff\\ud800"'), ANSWERED),
    one("a plug, written backwards", text('"\u{1F50C}\u202E\u0645\u0631"'), ANSWERED),
    { what: "a heartbeat with null", frame: call("Heartbeat", "null"), outcome: ANSWERED },
    { what: "blanks", frame: ' [2 ,"a", "Heartbeat", {} ] ', outcome: ANSWERED },
    { what: "a deep customData", frame: call("NotifyReport", report(50)), outcome: is16 ? UNKNOWN_ACTION : ANSWERED },
    { what: "a customData deeper than any stack", frame: call("NotifyReport", report(100_000)), outcome: FORM },
    {
      what: "a numeral of a hundred thousand digits",
      frame: call("Heartbeat", is16 ? "{}" : `{"customData":{"vendorId":"v","n":${"9".repeat(100_000)}}}`),
      outcome: ANSWERED,
    },
    {
      what: "a token with a NUL character",
      frame: call("Authorize", is16 ? '{"idTag":"\\u0000"}' : '{"idToken":{"idToken":"\\u0000","type":"ISO14443"}}'),
      outcome: ANSWERED,
    },
    { what: "transaction data that holds anything", frame: transaction(version), outcome: ANSWERED },
    { what: "meter values of nearly a mebibyte", frame: call("MeterValues", meterValues(version)), outcome: ANSWERED },
  ];
}

/** Against its schema in every way, and stored all the same: billing data is never refused. */
function transaction(version: Version): string {
  const odd = {
    timestamp: "0000-01-01T00:00:00Z",
    sampledValue: [null, 5, { value: { toString: 1 }, unit: [] }, { value: "1e99" }],
  };
  if (version === "1.6")
    return call(
      "StopTransaction",
      JSON.stringify({
        transactionId: 2 ** 40,
        meterStop: 1.5,
        timestamp: "\0",
        reason: {},
        transactionData: [null, odd],
      }),
    );
  const payload = {
    eventType: "Updated",
    timestamp: "+275760-09-13T00:00:00Z",
    seqNo: 2 ** 40,
    idToken: null,
    evse: "x",
    transactionInfo: { transactionId: "\0" },
    meterValue: [null, odd],
  };
  return call("TransactionEvent", JSON.stringify(payload));
}

/** Tells a password, so that the gateway has to look for it in every corner. */
function report(depth: number): string {
  const told = {
    component: { name: "SecurityCtrlr" },
    variable: { name: "BasicAuthPassword" },
    variableAttribute: [{ value: "hunter2" }],
  };
  const deep = `"customData":{"vendorId":"v","deep":${nested(depth)}}`;
  return `{"requestId":1,"generatedAt":"2026-01-01T00:00:00Z","seqNo":0,"reportData":[${JSON.stringify(told).slice(0, -1)},${deep}}]}`;
}

function meterValues(version: Version): string {
  const sample =
    version === "1.6"
      ? { value: "1", measurand: "Energy.Active.Import.Register" }
      : { value: 1, measurand: "Energy.Active.Import.Register" };
  const sampledValue = Array.from(
    { length: Math.floor(1_040_000 / (JSON.stringify(sample).length + 1)) },
    () => sample,
  );
  const meterValue = [{ timestamp: "2026-01-01T00:00:00Z", sampledValue }];
  return JSON.stringify(version === "1.6" ? { connectorId: 1, meterValue } : { evseId: 1, meterValue });
}
