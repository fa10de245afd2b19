import { pino } from "pino";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { expect, test } from "vitest";
import { OwnershipKeeper } from "./ownership-keeper.ts";

const log = pino({ enabled: false });

/** Redis as the keeper sees it: owners by station, and whether it answers. */
function scene() {
  const owners = new Map<string, { node: string; epoch: number }>();
  const redis = { away: false, beforeReassert: () => {} };
  const answer = <T>(work: () => T): Promise<T> =>
    redis.away ? Promise.reject(new Error("away")) : Promise.resolve(work());
  const sessions: { identity: StationIdentity; epoch: number; open: boolean; close(): void }[] = [];
  const session = (name: string, epoch: number) => {
    const held = { identity: name as StationIdentity, epoch, open: true, close: () => void (held.open = false) };
    sessions.push(held);
    return held;
  };
  const keeper = new OwnershipKeeper({
    sessions: () => [...sessions],
    ownership: {
      reassert: (identity, epoch) =>
        answer(() => {
          redis.beforeReassert();
          if ((owners.get(identity)?.epoch ?? 0) > epoch) return false;
          owners.set(identity, { node: "me", epoch });
          return true;
        }),
      release: (identity, epoch) => answer(() => owners.get(identity)?.epoch === epoch && owners.delete(identity)),
    },
    pause: () => Promise.resolve(),
    log,
  });
  return { owners, redis, session, keeper };
}

test("what Redis forgot is said again, what a newer connection took is closed", async () => {
  const { owners, session, keeper } = scene();
  const [kept, forgotten, lost] = [session("a", 5), session("b", 5), session("c", 5)];
  owners.set("a", { node: "me", epoch: 5 });
  owners.set("c", { node: "other", epoch: 6 });
  await keeper.assertAgain();
  expect([kept.open, forgotten.open, lost.open]).toEqual([true, true, false]);
  expect(owners.get("b")).toEqual({ node: "me", epoch: 5 });
  expect(owners.get("c")).toEqual({ node: "other", epoch: 6 });
});

test("a connection that ended while Redis was away is given up when it is back", async () => {
  const { owners, redis, keeper } = scene();
  owners.set("a", { node: "me", epoch: 5 });
  redis.away = true;
  await keeper.ended("a" as StationIdentity, 5, "neither");
  expect(owners.has("a")).toBe(true);
  redis.away = false;
  await keeper.assertAgain();
  expect(owners.has("a")).toBe(false);
});

test("a connection that ends while it is asserted again does not come back to life", async () => {
  const { owners, redis, session, keeper } = scene();
  const ending = session("a", 5);
  redis.beforeReassert = () => void (ending.open = false);
  await keeper.assertAgain();
  expect(owners.has("a")).toBe(false);
});

test("an absence in the middle of it is made up for by the next round", async () => {
  const { owners, redis, session, keeper } = scene();
  session("a", 5);
  redis.away = true;
  await keeper.assertAgain();
  redis.away = false;
  await keeper.assertAgain();
  expect(owners.get("a")).toEqual({ node: "me", epoch: 5 });
});
