import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Registration, StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { Session } from "../sockets/session.ts";
import { decideCall, type DecideCallDeps } from "./decide-call.ts";
import type { Decision } from "./decisions-client.ts";

const AWAY: Decision = { kind: "unavailable", reason: "away" };

function scene(
  options: {
    decisions?: Decision[];
    registration?: Registration;
    /** A text stands for itself. */
    cache?: Record<string, object | string>;
    authorizeOffline?: "deny" | "accept";
    random?: number;
  } = {},
) {
  const record = {
    orgId: "org_1",
    registration: options.registration ?? "accepted",
    heartbeatIntervalSeconds: 300,
  } as StationRecord;
  const session = new Session(
    { identity: "cs-1" as StationIdentity, version: "1.6", epoch: 7, record, remoteAddress: "" },
    { send: () => true, close: () => undefined, answersPing: async () => true, recordChanged: () => undefined },
    pino({ level: "silent" }),
  );
  const decisions = [...(options.decisions ?? [])];
  let asked = 0;
  let atMs = 0;
  const deps: DecideCallDeps = {
    nodeId: "node-1",
    decisions: { decide: async () => (asked++, decisions.shift() ?? AWAY) },
    redis: {
      hget: async (_key, token) => {
        const cached = options.cache?.[token];
        return cached === undefined ? null : typeof cached === "string" ? cached : JSON.stringify(cached);
      },
    },
    authorizeOffline: options.authorizeOffline ?? "deny",
    decisionHoldMs: 15_000,
    onOutcome: () => undefined,
    nowMs: () => Date.UTC(2026, 0, 1),
    random: () => options.random ?? 0.5,
    monotonicMs: () => atMs,
    sleep: async (ms) => void (atMs += ms),
  };
  return {
    session,
    asked: () => asked,
    decide: (action: string, payload: object) =>
      decideCall(
        session,
        { messageId: "1", action, payload, payloadText: JSON.stringify(payload), seq: 1, receivedAtMs: 0 },
        deps,
      ),
  };
}

const START = { connectorId: 1, idTag: "TAG", meterStart: 0, timestamp: "2026-01-01T00:00:00Z" };
const answered = (payload: object) => ({ kind: "answer", payload: JSON.stringify(payload) });

test("what the control plane decides is the answer, with the registration that it leads to", async () => {
  const { decide } = scene({
    decisions: [{ kind: "result", payload: '{"status":"Accepted"}', registration: "accepted" }],
  });
  expect(await decide("BootNotification", {})).toEqual({
    kind: "answer",
    payload: '{"status":"Accepted"}',
    registration: "accepted",
  });
});

test("what it refuses is refused", async () => {
  const refusal = { refusal: "unsupported-action", description: "no" } as const;
  const { decide } = scene({ decisions: [{ kind: "refusal", refusal }] });
  expect(await decide("DataTransfer", {})).toEqual({ kind: "refuse", refusal });
});

describe("the control plane is away", () => {
  test("an accepted station boots, with its interval", async () => {
    const { decide } = scene();
    expect(await decide("BootNotification", {})).toEqual(
      answered({ status: "Accepted", currentTime: "2026-01-01T00:00:00.000Z", interval: 300 }),
    );
  });

  test.each([
    ["unknown", "Pending"],
    ["pending", "Pending"],
    ["rejected", "Rejected"],
  ] as const)(
    "[1.4-interval] a station whose registration is %s waits for 60 to 120 s, each for another time",
    async (registration, status) => {
      for (const [random, interval] of [
        [0, 60],
        [0.5, 90],
        [0.999, 120],
      ] as const)
        expect(await scene({ registration, random }).decide("BootNotification", {})).toEqual(
          answered({ status, currentTime: "2026-01-01T00:00:00.000Z", interval }),
        );
    },
  );

  test.each(["not JSON", "null", '{"v":2}'])("Authorize: a cache that cannot be read (%s) is a miss", async (text) => {
    const { decide } = scene({ cache: { tag: text } });
    expect(await decide("Authorize", { idTag: "TAG" })).toEqual(answered({ idTagInfo: { status: "Invalid" } }));
  });

  test("Authorize: from the cache, whatever the case of the token", async () => {
    const cache = {
      tag: { status: "Accepted" },
      blocked: { status: "Blocked" },
      old: { status: "Accepted", expiryDate: "2025-12-31T00:00:00Z" },
    };
    const { decide } = scene({ cache });
    expect(await decide("Authorize", { idTag: "TAG" })).toEqual(answered({ idTagInfo: { status: "Accepted" } }));
    expect(await decide("Authorize", { idTag: "Blocked" })).toEqual(answered({ idTagInfo: { status: "Blocked" } }));
    expect(await decide("Authorize", { idTag: "old" })).toEqual(
      answered({ idTagInfo: { expiryDate: "2025-12-31T00:00:00Z", status: "Expired" } }),
    );
    expect(await decide("Authorize", { idToken: { idToken: "TAG", type: "ISO14443" } })).toEqual(
      answered({ idTokenInfo: { status: "Accepted" } }),
    );
  });

  test("Authorize of an unknown token: as configured", async () => {
    expect(await scene().decide("Authorize", { idTag: "X" })).toEqual(answered({ idTagInfo: { status: "Invalid" } }));
    expect(await scene({ authorizeOffline: "accept" }).decide("Authorize", { idTag: "X" })).toEqual(
      answered({ idTagInfo: { status: "Accepted" } }),
    );
  });

  test("ends of transactions, and starts without a token, need no decision", async () => {
    const { decide } = scene();
    expect(await decide("StopTransaction", { transactionId: 1 })).toEqual(answered({}));
    expect(
      await decide("TransactionEvent", { eventType: "Ended", idToken: { idToken: "X", type: "ISO14443" } }),
    ).toEqual(answered({}));
    expect(await decide("TransactionEvent", { eventType: "Started" })).toEqual(answered({}));
    expect(
      await decide("TransactionEvent", { eventType: "Started", idToken: { idToken: "", type: "NoAuthorization" } }),
    ).toEqual(answered({}));
  });

  test("a started session with a known token goes on; one that nobody can judge is held, never denied", async () => {
    const idToken = { idToken: "TAG", type: "ISO14443" };
    expect(
      await scene({ cache: { tag: { status: "Accepted" } } }).decide("TransactionEvent", {
        eventType: "Started",
        idToken,
      }),
    ).toEqual(answered({ idTokenInfo: { status: "Accepted" } }));
    expect(await scene().decide("TransactionEvent", { eventType: "Started", idToken })).toMatchObject({
      kind: "let-go",
    });
  });

  test("[1.6-never-error] StartTransaction is asked again for 15 s, then the station is let go, never refused", async () => {
    const { decide, asked } = scene();
    expect(await decide("StartTransaction", START)).toMatchObject({ kind: "let-go" });
    expect(asked()).toBe(31); // every 500 ms from 0 to 15 s
  });

  test("StartTransaction is answered when the control plane is back in time", async () => {
    const { decide } = scene({ decisions: [AWAY, AWAY, { kind: "result", payload: '{"transactionId":5}' }] });
    expect(await decide("StartTransaction", START)).toEqual(answered({ transactionId: 5 }));
  });

  test("what was held is given up at once when the station leaves", async () => {
    const { decide, session, asked } = scene();
    session.open = false;
    expect(await decide("StartTransaction", START)).toMatchObject({ kind: "let-go" });
    expect(asked()).toBe(1);
  });

  test("everything else is an InternalError", async () => {
    expect(await scene().decide("DataTransfer", {})).toMatchObject({
      kind: "refuse",
      refusal: { refusal: "internal" },
    });
  });
});

test("a fault of the control plane is no refusal of transaction data", async () => {
  const fault: Decision = { kind: "refusal", refusal: { refusal: "internal", description: "bug" } };
  expect(await scene({ decisions: [fault] }).decide("StopTransaction", { transactionId: 1 })).toEqual(answered({}));
  expect(await scene({ decisions: [fault] }).decide("SignCertificate", {})).toMatchObject({ kind: "refuse" });
});
