// Frames of a grammar with mistakes in it, all versions, against everything between socket and lane. FUZZ_FRAMES=… runs it for
// longer, FUZZ_SEED=… again with the same or with other frames.

import { isUtf8 } from "node:buffer";
import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import { decodeFrame } from "@dynamo-csms/proto/ocpp-frame";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { Chance, FrameFuzzer, fuzzSettings, validPayload } from "../test/frame-fuzzer.ts";
import { settled, startReceiver, type ReceiverConnection, type ReceiverScene } from "../test/receiver-scene.ts";
import type { Decision } from "./decisions-client.ts";

const { frames: FRAMES, seed: SEED } = fuzzSettings;
/** Sent without waiting in between, so that they meet in the queue. */
const BATCH = 5;

/** What is wrong with what the station got; [] as it should be. */
function complaintsOn(version: OcppVersion, sent: readonly string[]): string[] {
  const codes = new Set(Object.values(CALL_ERROR_CODE).map((spelling) => spelling[version]));
  return sent.flatMap((text) => {
    const [type, id, code, description, details] = JSON.parse(text) as unknown[];
    if (type === 2 || type === 3) return [];
    const wellFormed =
      (type === 4 || (type === 5 && version === "2.1")) &&
      codes.has(code as string) &&
      (typeof id === "string" || typeof id === "number") &&
      typeof description === "string" &&
      description.length <= 255 &&
      JSON.stringify(details) === "{}";
    return wellFormed ? [] : [`said ${text.slice(0, 200)}`];
  });
}

/** The id under which the frame is to be answered, if there is one: of every CALL, and of what is of no known type (F8, F9). */
function answeredAs(version: OcppVersion, bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const decoded = decodeFrame(Buffer.from(bytes).toString("utf8"));
  const type = decoded.ok
    ? { call: 2, callResult: 3, callError: 4, callResultError: 5, send: 6 }[decoded.value.kind]
    : decoded.error.type;
  const id = decoded.ok
    ? decoded.value.messageId
    : (decoded.error.messageId ?? (type === 2 ? decoded.error.numericMessageId?.toString() : undefined));
  if (type === 2) return id;
  if (type === null) return id;
  return version === "2.0.1" && type !== 3 && type !== 4 ? id : undefined;
}

/** The control plane, in any mood. */
function moody(chance: Chance) {
  return async (action: string, version: string): Promise<Decision> => {
    if (chance.oneIn(3)) await new Promise((resolve) => setImmediate(resolve));
    if (chance.oneIn(10)) return { kind: "refusal", refusal: { refusal: "internal", description: "not now" } };
    if (chance.oneIn(10)) return { kind: "unavailable", reason: "away" };
    return { kind: "result", payload: JSON.stringify(validPayload(version as OcppVersion, action, "response")) };
  };
}

function sendCommand({ outgoing }: ReceiverScene, { session }: ReceiverConnection, commandId: string): void {
  outgoing.enqueue(session, {
    commandId,
    action: session.version === "1.6" ? "GetConfiguration" : "GetLocalListVersion",
    payload: "{}",
    secretPaths: [],
    callTimeoutMs: 30_000,
    deadlineAtMs: Infinity,
    onSent: () => undefined,
    onOutcome: () => undefined,
  });
}

test("[C25] [C19] fuzzed frames: nothing breaks, every CALL whose id can be read is answered once, and no answer ever is", async () => {
  const chance = new Chance(SEED);
  const fuzzer = new FrameFuzzer(chance);
  const scene = startReceiver({ decide: moody(chance) });
  const complaints: string[] = [];
  const prototype = Object.getOwnPropertyNames(Object.prototype).join();
  let connections = 0;
  let answered = 0;

  for (let frames = 0; frames < FRAMES;) {
    const version = chance.pick(OCPP_VERSIONS);
    const registration = chance.oneIn(8) ? chance.pick(["unknown", "pending", "rejected"] as const) : "accepted";
    const quirks = { unknown_fields: { mode: "accept" }, odd_timestamps: { mode: "report_only" } } as const;
    const connection = scene.connect(version, { registration, ...(chance.oneIn(3) ? { quirks } : {}) });
    connections += 1;
    const { receive, sent, closed, session } = connection;
    while (closed.length === 0 && frames < FRAMES && !chance.oneIn(100)) {
      sent.length = 0;
      if (chance.oneIn(3)) sendCommand(scene, connection, `ours-${frames}`);
      const openIds = sent.map((text) => (JSON.parse(text) as string[])[1] ?? "");
      const expected = new Map<string, number>();
      for (let n = 0; n < BATCH && closed.length === 0; n++) {
        const bytes = fuzzer.next(version, openIds);
        frames += 1;
        receive("", bytes);
        const id = answeredAs(version, bytes);
        if (id !== undefined) expected.set(id, (expected.get(id) ?? 0) + 1);
      }
      for (let turn = 0; turn < 20 && session.open && session.waitingFrames > 0; turn++) await settled();
      await settled();
      complaints.push(...complaintsOn(version, sent));
      // Whoever was let go says it all again on the next connection.
      if (closed.length === 0) {
        for (const text of sent) {
          const [type, id] = JSON.parse(text) as [number, unknown];
          if (type === 2 || type === 5 || id === "-1") continue;
          if (!expected.has(String(id))) complaints.push(`${version}: answered nobody with ${text.slice(0, 200)}`);
          else expected.set(String(id), (expected.get(String(id)) ?? 0) - 1);
          answered += 1;
        }
        for (const [id, missing] of expected)
          if (missing !== 0) complaints.push(`${version}: ${missing} answers missing to ${JSON.stringify(id)}`);
      }
      // Broken frames and CALLs have their rates: this is no storm.
      scene.pass(20_000);
    }
    session.close(1012, "");
    scene.outgoing.sessionClosed(session);
    scene.stored.length = 0;
    scene.events.length = 0;
  }
  expect(complaints.slice(0, 10)).toEqual([]);
  expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototype);
  // Else nothing of the above says anything.
  expect(answered).toBeGreaterThan(FRAMES / 4);
  expect(connections).toBeGreaterThan(10);
}, 600_000);
