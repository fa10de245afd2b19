// What many connections of one turn ask of Redis together: each gets its own answer, and what is odd about one is its own.

import { randomBytes } from "node:crypto";
import { stationFlaps, stationOwner, stationRecord, stationTakeovers } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createStationOwnership, type TakeOutcome } from "../ownership/station-ownership.ts";
import { createReadRecord } from "../sockets/read-records.ts";

const KEYS = [stationOwner, stationRecord, stationTakeovers, stationFlaps];
const used: StationIdentity[] = [];
let redis: Redis;
let identities: StationIdentity[];
beforeAll(() => {
  redis = new Redis(String(process.env["TEST_REDIS_URL"]));
});
beforeEach(() => {
  const run = randomBytes(6).toString("hex");
  identities = Array.from({ length: 10 }, (_, at) => `batch-${run}-${at}` as StationIdentity);
  used.push(...identities);
});
afterAll(async () => {
  await redis.del(...used.flatMap((identity) => KEYS.map((key) => key(identity))));
  redis.disconnect();
});

/** Three at a time, so that batches follow each other as well. */
function ownershipOf(nodeId: string) {
  const ownership = createStationOwnership({ redis, nodeId, atOnce: 3, flappingConnections: 0 });
  const take = (identity: StationIdentity, admittedRev = 1) =>
    ownership.take(identity, { attempt: ownership.newAttempt(), admittedRev, remoteAddress: "10.0.0.1", deadEpoch: 0 });
  return { ...ownership, takeOne: take };
}

const epochOf = (outcome: TakeOutcome | undefined) => (outcome?.kind === "taken" ? outcome.takeover.epoch : -1);
const kinds = (settled: PromiseSettledResult<unknown>[]) => settled.map(({ status }) => status);
const storedEpochs = () =>
  Promise.all(identities.map(async (identity) => Number(await redis.hget(stationOwner(identity), "epoch"))));

/** All but the one in the fifth place. */
const butFifth = <T>(common: T, fifth: T) => identities.map((_, at) => (at === 4 ? fifth : common));

test("[I4] [1.7.1] stations that are taken in one turn get an epoch each, and hear of their own former owner", async () => {
  const [first, second] = [ownershipOf("node-1"), ownershipOf("node-2")];
  const before = await Promise.all(identities.slice(0, 4).map((identity) => first.takeOne(identity)));
  const taken = await Promise.all(identities.map((identity) => second.takeOne(identity)));
  expect(taken).toMatchObject(
    identities.map((_, at) => ({
      kind: "taken",
      takeover: { former: at < 4 ? { node: "node-1", epoch: epochOf(before[at]) } : { node: "", epoch: 0 } },
    })),
  );
  expect(await storedEpochs()).toEqual(taken.map(epochOf));
  for (const [at, outcome] of before.entries()) expect(epochOf(taken[at])).toBeGreaterThan(epochOf(outcome));
});

test("[I4] [1.7.1] of two connections of a station in one turn the later has the higher epoch, and replaces the other", async () => {
  const { takeOne, release } = ownershipOf("node-1");
  const [identity] = identities as [StationIdentity];
  const [one, other] = await Promise.all([takeOne(identity), takeOne(identity)]);
  expect(epochOf(other)).toBeGreaterThan(epochOf(one));
  expect(other).toMatchObject({ takeover: { former: { node: "node-1", epoch: epochOf(one) } } });
  // The end of the replaced one changes nothing; told in the same turn, each is told its own.
  expect(
    await Promise.all([release(identity, epochOf(one), "lasting"), release(identity, epochOf(other), "lasting")]),
  ).toEqual([false, true]);
  expect(await redis.hget(stationOwner(identity), "node")).toBeNull();
});

test("[I4] [1.7.2] of stations that are asserted or released in one turn those alone are lost that a newer connection has", async () => {
  const [first, second] = [ownershipOf("node-1"), ownershipOf("node-2")];
  const epochs = (await Promise.all(identities.map((identity) => first.takeOne(identity)))).map(epochOf);
  const fifth = epochOf(await second.takeOne(identities[4] as StationIdentity));
  const each = (ask: (identity: StationIdentity, epoch: number) => Promise<boolean>) =>
    Promise.all(identities.map((identity, at) => ask(identity, epochs[at] ?? 0)));
  expect(await each(first.reassert)).toEqual(butFifth(true, false));
  expect(await each((identity, epoch) => first.release(identity, epoch, "neither"))).toEqual(butFifth(true, false));
  const owners = await Promise.all(identities.map((identity) => redis.hmget(stationOwner(identity), "node", "epoch")));
  expect(owners).toEqual(epochs.map((epoch, at) => (at === 4 ? ["node-2", String(fifth)] : [null, String(epoch)])));
});

test("[1.7.5] of stations that are taken in one turn those alone are refused whose record changed", async () => {
  const { takeOne } = ownershipOf("node-1");
  await redis.hset(stationRecord(identities[4] as StationIdentity), "rev", 2);
  const taken = await Promise.all(identities.map((identity) => takeOne(identity)));
  expect(taken.map(({ kind }) => kind)).toEqual(butFifth("taken", "recordChanged"));
});

test("[I9] what goes wrong with one station's keys is its own: all others of the turn are served", async () => {
  const { takeOne, reassert, release } = ownershipOf("node-1");
  const fifth = identities[4] as StationIdentity;
  await redis.set(stationOwner(fifth), "not a hash");
  const expected = butFifth("fulfilled", "rejected");
  const taken = await Promise.allSettled(identities.map((identity) => takeOne(identity)));
  expect(kinds(taken)).toEqual(expected);
  expect(taken[4]).toMatchObject({ reason: { message: expect.stringContaining("WRONGTYPE") as string } });
  const epochs = taken.map((outcome) => (outcome.status === "fulfilled" ? epochOf(outcome.value) : 1));
  const each = (ask: (identity: StationIdentity, epoch: number) => Promise<boolean>) =>
    Promise.allSettled(identities.map((identity, at) => ask(identity, epochs[at] ?? 0)));
  expect(kinds(await each(reassert))).toEqual(expected);
  expect(kinds(await each((identity, epoch) => release(identity, epoch, "short")))).toEqual(expected);
});

test("[I9] records are read together, each for its own station; one that is no record fails alone", async () => {
  const readRecord = createReadRecord(redis, 3);
  for (const [at, identity] of identities.entries())
    if (at % 2 === 0) await redis.hset(stationRecord(identity), "record", `r${at}`);
  await redis.del(stationRecord(identities[4] as StationIdentity));
  await redis.set(stationRecord(identities[4] as StationIdentity), "not a hash");
  const read = await Promise.allSettled(identities.map(readRecord));
  expect(kinds(read)).toEqual(butFifth("fulfilled", "rejected"));
  expect(read.map((one) => (one.status === "fulfilled" ? one.value : "failed"))).toEqual([
    "r0",
    null,
    "r2",
    null,
    "failed",
    null,
    "r6",
    null,
    "r8",
    null,
  ]);
});
