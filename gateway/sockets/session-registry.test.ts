import { pino } from "pino";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { expect, test } from "vitest";
import { Session } from "./session.ts";
import { SessionRegistry } from "./session-registry.ts";

const CS001 = "cs001" as StationIdentity;

function scene() {
  const clock = { nowMs: 0 };
  const closed: string[] = [];
  const session = (epoch: number) =>
    new Session(
      { identity: CS001, version: "1.6", epoch, record: {} as StationRecord, remoteAddress: "" },
      {
        send: () => true,
        close: (code) => closed.push(`${epoch}:${code}`),
        answersPing: async () => true,
        recordChanged: () => undefined,
      },
      pino({ enabled: false }),
    );
  return { registry: new SessionRegistry(() => clock.nowMs), session, closed, clock };
}

test("the newest connection replaces the former and closes it", () => {
  const { registry, session, closed } = scene();
  const [old, young] = [session(1), session(2)];
  expect([registry.add(old), registry.add(young)]).toEqual([true, true]);
  expect(closed).toEqual(["1:1000"]);
  expect(registry.get(CS001)).toBe(young);
});

test("[B4] the late close event of the old connection leaves the new one", () => {
  const { registry, session } = scene();
  const [old, young] = [session(1), session(2)];
  registry.add(old);
  registry.add(young);
  expect(registry.remove(old)).toBe(false);
  expect(registry.get(CS001)).toBe(young);
  expect(registry.remove(young)).toBe(true);
  expect(registry.size).toBe(0);
});

test("a connection that is opened later than its successor is refused", () => {
  const { registry, session, closed } = scene();
  const young = session(2);
  registry.add(young);
  expect(registry.add(session(1))).toBe(false);
  expect(registry.get(CS001)).toBe(young);
  expect(closed).toEqual([]);
});

test("a takeover by another node closes what is older, and only that", () => {
  const { registry, session, closed } = scene();
  registry.add(session(5));
  expect(registry.supersede(CS001, 5)).toBe(false);
  expect(registry.supersede(CS001, 6)).toBe(true);
  expect(closed).toEqual(["5:1000"]);
});

test("a takeover that overtakes the opening here still wins, for a while", () => {
  const { registry, session, clock } = scene();
  registry.supersede(CS001, 6);
  expect(registry.add(session(5))).toBe(false);
  expect(registry.add(session(6))).toBe(true);
  clock.nowMs = 60_001;
  expect(registry.remove(registry.get(CS001) as Session)).toBe(true);
  expect(registry.add(session(5))).toBe(true);
});

test("a revocation closes with 1008, and does not fence what comes later", () => {
  const { registry, session, closed } = scene();
  registry.add(session(5));
  expect(registry.revoke(CS001, 6)).toBe(true);
  expect(closed).toEqual(["5:1008"]);
  registry.remove(registry.get(CS001) as Session);
  expect(registry.add(session(6))).toBe(true);
});

test("[D3] a revocation that overtakes the opening here still ends it: it was let in by what was revoked", () => {
  const { registry, session } = scene();
  expect(registry.revoke(CS001, 6)).toBe(false);
  expect(registry.add(session(5))).toBe(false);
  expect(registry.add(session(6))).toBe(true);
});
