import { actionsOf, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import { decodeFrame } from "@dynamo-csms/proto/ocpp-frame";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { Chance, FrameFuzzer, fuzzSettings } from "../test/frame-fuzzer.ts";
import { callsByName, closesEnvelope, scanEnvelope, type Envelope } from "./scan-envelope.ts";

const CALLS = new Map(
  OCPP_VERSIONS.map((version) => [
    version,
    callsByName(
      actionsOf(version)
        .filter((action) => isStationAction(version, action))
        .map((action) => [action, action] as const),
    ),
  ]),
);

/** What stands in front of the frame in the buffer, and behind its 0 byte. */
const BEFORE = Buffer.from('[2,"1","');
const BEHIND = Buffer.from('"Heartbeat",{}]');

/** What is read of a frame in the middle of other bytes; undefined: it is left to the long way. */
function scan(version: OcppVersion, frame: Uint8Array) {
  const bytes = Buffer.concat([BEFORE, frame, Buffer.from([0]), BEHIND]);
  const found: Envelope<string> = { idAt: 0, idEnd: 0, call: undefined, payloadAt: 0 };
  const calls = CALLS.get(version);
  if (calls === undefined || !scanEnvelope(bytes, BEFORE.length, calls, found)) return undefined;
  const end = BEFORE.length + frame.length;
  return {
    messageId: bytes.toString("latin1", found.idAt, found.idEnd),
    action: found.call,
    /** Of all places where the payload may end, the one at which the rest closes the frame. */
    payload: Array.from({ length: end - found.payloadAt }, (_, back) => end - back)
      .filter((at) => closesEnvelope(bytes, at, end))
      .map((at) => bytes.toString("utf8", found.payloadAt, at)),
  };
}

const read = (text: string) => scan("1.6", Buffer.from(text));

test("a CALL is read with and without space between its parts", () => {
  for (const text of [
    '[2,"19223201","Heartbeat",{}]',
    ' [ 2 , "19223201" ,\t"Heartbeat" ,\r\n{} ]\n',
    '[2,\n"19223201","Heartbeat"\n,{}]',
  ])
    expect([text, read(text)]).toEqual([text, expect.objectContaining({ messageId: "19223201", action: "Heartbeat" })]);
});

test("[F12] whatever is unusual is left to the long way", () => {
  for (const text of [
    "",
    "[",
    '[2,"a","Heartbeat"]',
    '[2,"a","Heartbeat",null]',
    '[2,"a","Heartbeat",[]]',
    '[2.0,"a","Heartbeat",{}]',
    '[22,"a","Heartbeat",{}]',
    '[3,"a",{}]',
    '[2,"","Heartbeat",{}]',
    `[2,"${"x".repeat(37)}","Heartbeat",{}]`,
    '[2,"é","Heartbeat",{}]',
    '[2,"\\u0061","Heartbeat",{}]',
    '[2,"\u007f","Heartbeat",{}]',
    '[2,"a\n","Heartbeat",{}]',
    '[2,7,"Heartbeat",{}]',
    '[2,"a","heartbeat",{}]',
    '[2,"a","Heartbeats",{}]',
    '[2,"a","HeartBeat",{}]',
    '[2,"a","Reset",{}]',
    '[2,"a","",{}]',
    '[2,"a","x",{}]',
    '\ufeff[2,"a","Heartbeat",{}]',
    '{"2":"a"}',
    '[2,"a","Heartbeat"',
    '[2,"a',
  ])
    expect([text, read(text)]).toEqual([text, undefined]);
});

test("nothing but the end may stand behind the payload", () => {
  for (const rest of ["", "}", ",{}]", "]]", "] ]", "]\u0000", "]x", "\u0000]"]) {
    const bytes = Buffer.from(`{}${rest}\u0000]`);
    expect([rest, closesEnvelope(bytes, 2, 2 + rest.length)]).toEqual([rest, false]);
  }
  for (const rest of ["]", " ]", "] ", "\r\n]\t"]) {
    const bytes = Buffer.from(`{}${rest}\u0000]`);
    expect([rest, closesEnvelope(bytes, 2, 2 + rest.length)]).toEqual([rest, true]);
  }
});

test("names that could not be told apart are a fault", () => {
  expect(() =>
    callsByName([
      ["abcdefgh", 1],
      ["axcdefgh", 2],
    ]),
  ).toThrow("same key");
});

test("[C25] of fuzzed frames, what is read is what decodeFrame reads", () => {
  const chance = new Chance(fuzzSettings.seed);
  const fuzzer = new FrameFuzzer(chance);
  let read = 0;
  for (let n = 0; n < fuzzSettings.frames; n++) {
    const version = chance.pick(OCPP_VERSIONS);
    const frame = fuzzer.next(version, []);
    const scanned = scan(version, frame);
    if (scanned === undefined) continue;
    const decoded = decodeFrame(Buffer.from(frame).toString("utf8"));
    // The payload is not looked at: that it is JSON is for its scanner to say.
    if (!decoded.ok && (decoded.error.what === "not-json" || decoded.error.what === "too-deep")) continue;
    if (!decoded.ok || decoded.value.kind !== "call")
      throw new Error(`no CALL: ${Buffer.from(frame).toString("utf8")}`);
    const { messageId, action, payload } = decoded.value;
    expect(scanned).toMatchObject({ messageId, action });
    const whole = scanned.payload.filter((text) => JSON.stringify(jsonOf(text)) === JSON.stringify(payload));
    // None: there are parts behind it, and the frame is not closed there.
    expect(whole.length).toBeLessThanOrEqual(scanned.payload.length);
    if (whole.length > 0) read += 1;
  }
  expect(read).toBeGreaterThan(fuzzSettings.frames / 4);
}, 600_000);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
