import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import type { Stay } from "../ownership/station-ownership.ts";
import type { CloseCode } from "./close-codes.ts";
import { createConnectionLife, type ConnectionLifeDeps, type Entrant } from "./connection-life.ts";
import { SessionRegistry } from "./session-registry.ts";
import type { StationSocket } from "./session.ts";

const socket: StationSocket = {
  send: () => true,
  close: () => undefined,
  answersPing: async () => true,
  recordChanged: () => undefined,
};
const entrant: Entrant = {
  identity: "cs-1" as StationIdentity,
  record: {} as StationRecord,
  subprotocol: { version: "1.6", token: "ocpp1.6" },
  notes: [],
  quirks: [],
  handshake: { path: "", subprotocols: "", listener: 1 },
  takeover: { epoch: 1, former: { node: "", epoch: 0 } },
  remoteAddress: "192.0.2.1",
};

function scene(taken?: Awaited<ReturnType<ConnectionLifeDeps["take"]>>) {
  const clock = { nowMs: 0 };
  const stays: Stay[] = [];
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const life = createConnectionLife({
    nodeId: "node-1",
    maxFrameBytes: 1_000,
    admit: async () => ({ ok: true, value: entrant }),
    storageReady: () => true,
    newAttempt: () => "attempt",
    take: async () => taken ?? { kind: "taken", takeover: entrant.takeover },
    aftermath: {
      tellFormer: async () => undefined,
      abandoned: async () => undefined,
      uncertain: async () => undefined,
    },
    ownershipEnded: async (_identity, _epoch, stay) => void stays.push(stay),
    sessions: new SessionRegistry(() => clock.nowMs),
    attempts: { note: () => undefined },
    appendEvent: () => undefined,
    sessionClosed: () => undefined,
    metrics,
    nowMs: () => clock.nowMs,
    log: pino({ enabled: false }),
  });
  const stayOf = (lastedMs: number, code: number, text: string, byUs?: CloseCode) => {
    const session = life.open(entrant, socket);
    clock.nowMs += lastedMs;
    life.end(session, code, text, byUs);
    return stays.at(-1);
  };
  return { life, stayOf, metrics };
}

test.each([
  [1_000, "it hangs up", 1001, undefined, "short"],
  [1_000, "its line breaks", 1006, undefined, "short"],
  [19_999, "its line breaks", 1006, undefined, "short"],
  [20_000, "its line breaks", 1006, undefined, "lasting"],
  [20_000, "this node restarts", 1012, 1012, "lasting"],
  [1_000, "more than 16 CALLs without waiting for an answer", 1008, 1008, "short"],
  [1_000, "not UTF-8", 1007, 1007, "short"],
  [1_000, "superseded by a newer connection", 1000, 1000, "neither"],
  [1_000, "internal error", 1011, 1011, "neither"],
  [1_000, "this node restarts", 1012, 1012, "neither"],
  [1_000, "cannot be stored now", 1013, 1013, "neither"],
] as const)("[B11] a connection of %i ms, ended since %s (%i), counts as: %5$s", (lastedMs, text, code, byUs, stay) => {
  expect(scene().stayOf(lastedMs, code, text, byUs)).toBe(stay);
});

test("[B11] a station that may not come back yet is told for how long, and so is its operator", async () => {
  const { life } = scene({ kind: "flapping", times: 12, waitMs: 29_001 });
  const claim = { path: "/ocpp/CS-1", subprotocols: "", authorization: "", remoteAddress: "192.0.2.1", listener: 1 };
  expect(await life.enter({ ...claim, listener: 1 }, () => true)).toMatchObject({
    ok: false,
    error: {
      reason: "flapping",
      retryAfterSeconds: 30,
      attempt: { outcome: "flapping", detail: expect.stringContaining("12 connections in a row") },
    },
  });
});

test("[B9] a connection that is let go since its station does not read is counted", async () => {
  const { stayOf, metrics } = scene();
  expect(stayOf(1_000, 1013, "not reading fast enough", 1013)).toBe("neither");
  expect((await metrics.backpressureDrops.get()).values).toMatchObject([{ labels: { why: "slow-reader" }, value: 1 }]);
});
