// CALLs that are nearly plain: the short way must leave them to the long one, or do exactly what that does. What only chance
// finds is in take-plain-call.test.ts.

import { payloadScanner, transactionUpdateScanner } from "@dynamo-csms/ocpp-schemas/payload-scanners";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { settled, startReceiver, type ReceiverOptions } from "../test/receiver-scene.ts";

const SCANNERS = { scannerOf: payloadScanner, updateScannerOf: transactionUpdateScanner };
const BEAT = '[2,"beat","Heartbeat",{}]';

/** A valid StatusNotification. @param more JSON in front of its other fields @param number its connector's */
const status = (version: OcppVersion, more = "", number = "1") =>
  version === "1.6"
    ? `{${more}"connectorId":${number},"errorCode":"NoError","status":"Available"}`
    : `{${more}"timestamp":"2026-01-31T12:00:00Z","connectorStatus":"Available","evseId":${number},"connectorId":1}`;

const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const IDS = [
  ...[
    "",
    "a/b",
    "a\\/b",
    "\\u0041",
    "\\ud83d",
    "\\ud83d\\ude00",
    "é",
    "\u{1f600}",
    "a\u007f",
    "a\tb",
    "a\u0000b",
    " ",
    "\\",
  ],
  ...["x".repeat(36), "x".repeat(37), "é".repeat(36), "é".repeat(18), "\u{1f600}".repeat(18), "\u{1f600}".repeat(19)],
];
const TYPES = ["2.0", "2e0", "20e-1", "+2", "02", " 2 ", '"2"', "[2]", "2,2", "-2", "6", ""];
const NAMES = [
  "Heartbea\\u0074",
  "heartbeat",
  "Heartbeat ",
  "Heartbeatt",
  "Heartbeet",
  "",
  "__proto__",
  "Heartbeat\\u0000",
];
const ENDS = [
  "]",
  " ] ",
  "]\n",
  "]\u0000",
  "]x",
  "]]",
  "],",
  '],[2,"2","Heartbeat",{}]',
  ",]",
  ",1]",
  ",null]",
  "}]",
  "",
  "]\ufeff",
];
const STARTS = ["\ufeff", " ", "\n\r\t", "\v", "\f", "\u00a0", "\u2028", "\u0000", "[", "//\n"];
const NUMBERS = [
  "1.0",
  "1e0",
  "1e400",
  "-0",
  "9007199254740993",
  "9".repeat(400),
  "01",
  "0x1",
  "1.",
  ".5",
  "null",
  '"1"',
];
const PAYLOADS = [
  "null",
  "[]",
  "{}{}",
  "{,}",
  "1",
  '""',
  '"{}"',
  "true",
  "{}\u0000",
  '{"a":{}}',
  '{"__proto__":{}}',
  '{"":1}',
];
const INFOS = [
  ...["\\u0041", "\\ud800", "\\udc00\\ud800", "café", "\u{1f600}", "a\u007f", "a\u0000", "a\nb", "\\x", "\\"],
  ...["e".repeat(50), "e".repeat(51), "é".repeat(50), "\u{1f600}".repeat(50), "e".repeat(20_000)],
];

function oddFrames(version: OcppVersion): (string | Uint8Array)[] {
  const plain = `[2,"1","StatusNotification",${status(version)}]`;
  const fields = [
    '"connectorId":2,',
    '"connectorId":"x",',
    '"evseId":-1,',
    '"__proto__":{},',
    '"constructor":1,',
    '"connector\\u0049d":1,',
    `"customData":{"vendorId":"v","more":${deep(60)}},`,
    `"customData":{"vendorId":"v","more":${deep(70)}},`,
    `"info":${deep(5_000)},`,
    '"customData":{"vendorId":"v","vendorId":7},',
    ...INFOS.flatMap((info) => [`"info":"${info}",`, `"customData":{"vendorId":"${info}"},`]),
  ];
  const texts = [
    plain,
    ...IDS.map((id) => `[2,"${id}","Heartbeat",{}]`),
    ...["1", "1.5", "null", "{}", "true", "9007199254740993"].map((id) => `[2,${id},"Heartbeat",{}]`),
    ...TYPES.map((type) => `[${type},"1","Heartbeat",{}]`),
    ...NAMES.map((name) => `[2,"1","${name}",{}]`),
    ...ENDS.map((end) => `[2,"1","Heartbeat",{}${end}`),
    ...ENDS.map((end) => plain.slice(0, -1) + end),
    ...STARTS.map((start) => `${start}${plain}`),
    ...PAYLOADS.map((payload) => `[2,"1","Heartbeat",${payload}]`),
    ...NUMBERS.map((number) => `[2,"1","StatusNotification",${status(version, "", number)}]`),
    ...fields.map((field) => `[2,"1","StatusNotification",${status(version, field)}]`),
    `[2,"1","Heartbeat",{${" ".repeat(17_000)}}]`,
    plain.replaceAll(/[,:{}[\]]/g, " \n$&\t\r"),
  ];
  const bytes = Buffer.from(plain);
  const invalid = [0x80, 0xc3, 0xff, 0xed].flatMap((byte) =>
    [1, 4, 8, bytes.length - 3, bytes.length].map((at) =>
      Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)]),
    ),
  );
  const torn = Array.from(bytes, (_, length) => bytes.subarray(0, length));
  return [...texts, ...invalid, ...torn];
}

/** What becomes of each frame, between two plain CALLs on a connection of its own. */
async function outcomes(version: OcppVersion, frames: readonly (string | Uint8Array)[], options: ReceiverOptions) {
  const scene = startReceiver(options);
  const lines = frames.map(() => scene.connect(version));
  // The first CALL of a connection begins its conversation, and is never plain.
  for (const { receive } of lines) receive(BEAT);
  await settled();
  for (const [at, frame] of frames.entries()) {
    const before = scene.stored.length;
    lines[at]?.receive("", Buffer.from(frame));
    lines[at]?.receive(BEAT);
    // With its own frames alone, so that a difference names the frame.
    lines[at]?.sent.push(...scene.stored.slice(before).map((frame) => JSON.stringify(frame)));
  }
  for (let wait = 0; wait < 4; wait++) await settled();
  const { values } = await scene.metrics.frames.get();
  const of = lines.map(({ sent, closed, session }, at) => ({
    frame: Buffer.from(frames[at] ?? "")
      .toString("latin1")
      .slice(0, 200),
    sent: sent.map((text) => text.replace(/"currentTime":"[^"]+"/, '"currentTime":"…"')),
    closed,
    waiting: session.waitingFrames,
  }));
  return { of, counted: values.map(({ labels, value }) => `${JSON.stringify(labels)} ${value}`).toSorted() };
}

test.each(OCPP_VERSIONS)(
  "[C18] [C19] [C25] %s: the short way makes of odd frames what the long way does",
  async (version) => {
    const frames = oddFrames(version);
    let taken = 0;
    const scannerOf = (ofVersion: OcppVersion, action: string) => {
      const scan = payloadScanner(ofVersion, action);
      return (
        scan &&
        ((bytes: Uint8Array, at: number) => {
          const end = scan(bytes, at);
          if (end >= 0) taken += 1;
          return end;
        })
      );
    };
    const long = await outcomes(version, frames, {});
    const short = await outcomes(version, frames, { scanners: { ...SCANNERS, scannerOf } });
    for (const [at, outcome] of short.of.entries()) expect(outcome).toEqual(long.of[at]);
    expect(short.counted).toEqual(long.counted);
    // Else nothing of the above says anything.
    expect(taken).toBeGreaterThan(frames.length / 2);
  },
);
