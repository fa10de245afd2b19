import {
  payloadScanner,
  transactionUpdateScanner,
  type PayloadScanner,
} from "@dynamo-csms/ocpp-schemas/payload-scanners";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { Chance, FrameFuzzer, fuzzSettings, validPayload } from "../test/frame-fuzzer.ts";
import { transactionEventNeedsDecision } from "./action-class.ts";
import { createTakePlainCall } from "./take-plain-call.ts";
import { settled, startReceiver, type ReceiverConnection, type ReceiverScene } from "../test/receiver-scene.ts";

/** Says yes to whatever the validators say yes to, so that the short way is taken as often as it ever could be. */
function willingScanner(version: OcppVersion, action: string): PayloadScanner {
  return (bytes, at) => {
    const text = Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString("latin1");
    const end = text.trimEnd().lastIndexOf("]");
    try {
      const payload = text.slice(0, end).trimEnd();
      const isPlain = /^[\x20-\x5b\x5d-\x7e\s]*$/.test(payload) && !/(".*?")\s*:.*\1\s*:/s.test(payload);
      return isPlain && validatePayload(version, action, "request", JSON.parse(payload)) === undefined
        ? at + payload.length
        : -1;
    } catch {
      return -1;
    }
  };
}

function willingUpdateScanner(version: OcppVersion): PayloadScanner {
  const scan = willingScanner(version, "TransactionEvent");
  return (bytes, at) => {
    const end = scan(bytes, at);
    const payload = end < 0 ? {} : (JSON.parse(Buffer.from(bytes.subarray(at, end)).toString()) as object);
    return transactionEventNeedsDecision(payload) ? -1 : end;
  };
}

const WILLING = { scannerOf: willingScanner, updateScannerOf: willingUpdateScanner };
const GENERATED = { scannerOf: payloadScanner, updateScannerOf: transactionUpdateScanner };

/** What a scene led to, but for what depends on the clock. */
async function traces(scene: ReceiverScene, connections: readonly ReceiverConnection[]) {
  const timeless = (text: string) => text.replace(/"currentTime":"[^"]+"/, '"currentTime":"…"');
  const counted = await Promise.all(
    [scene.metrics.frames.get(), scene.metrics.frameBytes.get(), scene.metrics.callDuration.get()].map(async (metric) =>
      (await metric).values
        .filter((value) => !("metricName" in value) || !/duration_seconds_(sum|bucket)/.test(String(value.metricName)))
        .map(({ labels, value }) => `${JSON.stringify(labels)} ${value}`)
        .toSorted(),
    ),
  );
  return {
    stored: scene.stored,
    sent: connections.map(({ sent }) => sent.map(timeless)),
    closed: connections.map(({ closed }) => closed),
    waiting: connections.map(({ session }) => session.waitingFrames),
    counted,
  };
}

// What the control plane says, and how long it takes for it, must not differ from scene to scene.
const decide = async (action: string, version: string) => {
  await new Promise((resolve) => setImmediate(resolve));
  return {
    kind: "result" as const,
    payload: JSON.stringify(validPayload(version as OcppVersion, action, "response")),
  };
};

test.each([
  ["as willing as the validators", WILLING],
  ["generated", GENERATED],
])(
  "[C25] the short way does what the long way does, and in its order: scanners %s",
  async (_name, scanners) => {
    const chance = new Chance(fuzzSettings.seed);
    const fuzzer = new FrameFuzzer(chance);
    let taken = 0;
    const counting = (scan: PayloadScanner | undefined): PayloadScanner | undefined =>
      scan &&
      ((bytes, at) => {
        const end = scan(bytes, at);
        if (end >= 0) taken += 1;
        return end;
      });
    const counted = {
      scannerOf: (version: OcppVersion, action: string) => counting(scanners.scannerOf(version, action)),
      updateScannerOf: (version: OcppVersion) => counting(scanners.updateScannerOf(version)),
    };
    const scenes = [startReceiver({ decide }), startReceiver({ decide, scanners: counted })] as const;
    const versions = OCPP_VERSIONS.flatMap((version) => [version, version]);
    for (let round = 0; round < 20; round++) {
      const lines = scenes.map((scene) =>
        versions.map((version, at) => scene.connect(version, { registration: at === 5 ? "pending" : "accepted" })),
      );
      for (let turn = 0; turn < 20; turn++) {
        for (let n = 0; n < 12; n++) {
          const at = chance.below(versions.length);
          const version = versions[at] ?? "1.6";
          const action = chance.pick(["Heartbeat", "StatusNotification", "MeterValues", "TransactionEvent"]);
          const valid = validPayload(version, action, "request", chance.oneIn(3)) ?? {};
          const update = action === "TransactionEvent" && chance.oneIn(2) ? { eventType: "Updated" } : {};
          // Scanners leave what is not ASCII open.
          const payload = JSON.stringify({ ...valid, ...update }).replaceAll("é", "e");
          const frame = chance.oneIn(3)
            ? fuzzer.next(version, [])
            : Buffer.from(`[2,"${round}.${turn}.${n}","${action}",${payload}]`);
          for (const line of lines) line[at]?.receive("", Buffer.from(frame));
        }
        for (let wait = 0; wait < chance.below(4); wait++) await settled();
        for (const scene of scenes) scene.pass(5_000);
      }
      for (let wait = 0; wait < 8; wait++) await settled();
      const [long, short] = await Promise.all(scenes.map((scene, at) => traces(scene, lines[at] ?? [])));
      expect(short).toEqual(long);
      for (const scene of scenes) scene.stored.length = 0;
    }
    // Else nothing of the above says anything.
    expect(taken).toBeGreaterThan(500);
  },
  120_000,
);

/** A connection that had its first CALL, which begins its conversation, and takes the short way from now on. */
async function begun(options: Parameters<typeof startReceiver>[0] = {}) {
  const scene = startReceiver({ scanners: WILLING, ...options });
  const connection = scene.connect("1.6");
  connection.receive('[2,"first","Heartbeat",{}]');
  await settled();
  connection.sent.length = 0;
  return { scene, ...connection };
}

const idsOf = (sent: readonly string[]) => sent.map((text) => (JSON.parse(text) as string[])[1]);

test("[I6] [F3] plain CALLs do not overtake one that is being decided, nor it them", async () => {
  const { receive, sent } = await begun({ decide });
  const ids = ["1", "2", "3", "4", "5", "6"];
  receive('[2,"1","Heartbeat",{}]');
  receive('[2,"2","Authorize",{"idTag":"A"}]');
  receive('[2,"3","Heartbeat",{}]');
  receive('[2,"4","NoSuchAction",{}]');
  receive('[2,"5","Heartbeat",{}]');
  receive('[2,"6","Heartbeat",{}]');
  for (let turn = 0; turn < 6; turn++) await settled();
  expect(idsOf(sent)).toEqual(ids);
});

test("[I9] past its rate a plain CALL waits for its turn, as any other", async () => {
  const { scene, receive, sent, closed } = await begun();
  for (let n = 0; n < 1_010; n++) {
    receive(`[2,"${n}","Heartbeat",{}]`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled();
  expect([sent.length, closed]).toEqual([999, []]);
  for (let wait = 0; wait < 12; wait++) {
    scene.pass(10);
    await settled();
  }
  expect(idsOf(sent)).toEqual(Array.from({ length: 1_010 }, (_, n) => String(n)));
});

test("[I6] [C11] plain CALLs that nobody waits for are borne with up to the bound", async () => {
  const scene = startReceiver({ scanners: WILLING, stores: false });
  const { receive, closed, session } = scene.connect("1.6");
  for (let n = 0; n < 16; n++) receive(`[2,"${n}","Heartbeat",{}]`);
  expect([closed, session.waitingFrames]).toEqual([[], 16]);
  receive('[2,"17","Heartbeat",{}]');
  expect(closed).toMatchObject([{ code: 1008 }]);
});

test("CALLs of one turn came at the same time, those of the next at their own", async () => {
  const { connect, metrics } = startReceiver();
  const { session, receive } = connect("1.6");
  receive('[2,"first","Heartbeat",{}]');
  await settled();
  let nowMs = 1_000;
  const at: number[] = [];
  const take = createTakePlainCall({
    lane: {
      stage(_prefix, atMs) {
        at.push(atMs);
        return -1;
      },
      stagedBytes: Buffer.alloc(0),
      tellsLast: () => false,
      appendStaged: () => undefined,
    },
    scanners: GENERATED,
    metrics,
    nowMs: () => nowMs++,
    monotonicMs: () => 0,
  });
  const beat = Buffer.from('[2,"1","Heartbeat",{}]');
  // None is taken where nothing can be staged.
  expect([take(session, beat), take(session, beat)]).toEqual([false, false]);
  await new Promise((resolve) => setImmediate(resolve));
  take(session, beat);
  expect(at).toEqual([1_000, 1_000, 1_001]);
});

test.each(["2.0.1", "2.1"] as const)(
  "%s: of TransactionEvents those alone are plain that need no decision",
  (version) => {
    const scan = transactionUpdateScanner(version);
    // Scanners leave what is not ASCII open.
    const sample = JSON.stringify(validPayload(version, "TransactionEvent", "request")).replaceAll("é", "e");
    const event = JSON.parse(sample) as Record<string, unknown>;
    const idToken = { idToken: "1", type: "Central" };
    const texts = [
      { ...event, eventType: "Updated" },
      { eventType: "Updated", ...event, offline: true },
      { ...event, eventType: "Started" },
      { ...event, eventType: "Ended" },
      { ...event, eventType: "Updated", idToken },
      { idToken, ...event, eventType: "Updated" },
      { ...event, eventType: "Updated", customData: { vendorId: "x", eventType: "Updated" } },
      { ...event, eventType: "Ended", customData: { vendorId: "x", eventType: "Updated" } },
    ].map((payload) => JSON.stringify(payload));
    const plain = texts.map((text) => scan?.(Buffer.from(`${text}]\0`), 0) === text.length);
    expect(plain.slice(0, 2)).toEqual([true, event["eventType"] === "Updated"]);
    for (const [at, text] of texts.entries())
      if (plain[at]) expect(transactionEventNeedsDecision(JSON.parse(text) as object)).toBe(false);
    expect(plain.slice(2, 6)).toEqual([false, false, false, false]);
    expect(plain[7]).toBe(false);
  },
);
