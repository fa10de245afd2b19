import { stationRecord, unknownStation } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { encodeStationRecord, type StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createStationDirectory, type DirectoryDeps } from "./station-directory.ts";

const CS001 = "cs001" as StationIdentity;
const RECORD: StationRecord = {
  v: 1,
  rev: 1,
  orgId: "org_1",
  chargePointId: "cp_1",
  identitySpelling: "CS001",
  verifiers: [],
  ocppVersions: ["1.6"],
  securityProfile: 1,
  registration: "accepted",
  heartbeatIntervalSeconds: 300,
  retired: false,
};

type Lookup = Awaited<ReturnType<DirectoryDeps["lookup"]>>;

function scene(lookup: Lookup, { mayLookUp = true, budget = true } = {}) {
  const held = new Map<string, string>();
  const redis = { away: false };
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const lookups: string[] = [];
  const answer = <T>(value: T): Promise<T> => (redis.away ? Promise.reject(new Error("away")) : Promise.resolve(value));
  const directory = createStationDirectory({
    readRecord: (identity) => answer(held.get(stationRecord(identity)) ?? null),
    redis: {
      get: (key) => answer(held.get(key) ?? null),
      set: (key, value, _, ms) => answer(held.set(key, value).set("ms", String(ms))),
    },
    lookup: async (identity) => {
      lookups.push(identity);
      await gate;
      return lookup;
    },
    mayLookUp: () => budget,
    log: pino({ enabled: false }),
  });
  return {
    find: () => directory.find(CS001, mayLookUp),
    findUnrecorded: () => directory.findUnrecorded(CS001, mayLookUp),
    held,
    redis,
    lookups,
    release,
  };
}

test("a registered station is found in Redis, without the control plane, even while it counts as unknown", async () => {
  const { find, held, lookups } = scene({ kind: "unknown" });
  held.set(stationRecord(CS001), encodeStationRecord(RECORD)).set(unknownStation(CS001), "1");
  expect(await find()).toEqual({ kind: "found", record: RECORD });
  expect(lookups).toEqual([]);
});

test.each(['{"v":2}', "not JSON"])("a record that this build cannot read (%s) is waited for", async (text) => {
  const { find, held, lookups } = scene({ kind: "unknown" });
  held.set(stationRecord(CS001), text);
  expect(await find()).toEqual({ kind: "away", what: "control-plane" });
  expect(lookups).toEqual([]);
});

test("whoever asks while a lookup is under way shares it", async () => {
  const { find, lookups, release } = scene({ kind: "found", record: RECORD });
  const answers = [find(), find(), find()];
  release();
  expect(await Promise.all(answers)).toEqual(Array(3).fill({ kind: "found", record: RECORD }));
  expect(lookups).toEqual([CS001]);
});

test("an unknown station is not asked for again for five seconds", async () => {
  const { find, held, lookups, release } = scene({ kind: "unknown" });
  release();
  expect([await find(), await find()]).toEqual([{ kind: "unknown" }, { kind: "unknown" }]);
  expect(lookups).toEqual([CS001]);
  expect(held.get("ms")).toBe("5000");
});

test("a control plane that is away is asked again the next time", async () => {
  const { find, lookups, release } = scene({ kind: "unavailable", reason: "away" });
  release();
  expect([await find(), await find()]).toEqual(Array(2).fill({ kind: "away", what: "control-plane" }));
  expect(lookups.length).toBe(2);
});

test("without Redis nobody is called unknown", async () => {
  const { find, redis } = scene({ kind: "unknown" });
  redis.away = true;
  expect(await find()).toEqual({ kind: "away", what: "storage" });
});

test.each([{ mayLookUp: false }, { budget: false }])(
  "too many lookups are refused without asking (%j)",
  async (limits) => {
    const { find, lookups } = scene({ kind: "unknown" }, limits);
    expect(await find()).toEqual({ kind: "limited" });
    expect(lookups).toEqual([]);
  },
);

test("[H12] asked as if there were no record, a known station costs and gets what an unknown one does", async () => {
  const ask = async (known: boolean, options?: { mayLookUp?: boolean; budget?: boolean }) => {
    const { find, findUnrecorded, held, lookups, redis, release } = scene(
      known ? { kind: "found", record: RECORD } : { kind: "unknown" },
      options,
    );
    if (known) held.set(stationRecord(CS001), encodeStationRecord(RECORD));
    release();
    const stranger = known ? findUnrecorded : find;
    const kinds = [(await stranger()).kind, (await stranger()).kind];
    redis.away = true;
    return { kinds: [...kinds, (await stranger()).kind], lookups: lookups.length, ms: held.get("ms") };
  };
  expect(await ask(false)).toEqual({ kinds: ["unknown", "unknown", "away"], lookups: 1, ms: "5000" });
  expect(await ask(true)).toEqual({ kinds: ["found", "unknown", "away"], lookups: 1, ms: "5000" });
  for (const options of [{ mayLookUp: false }, { budget: false }]) {
    expect(await ask(false, options)).toEqual({ kinds: ["limited", "limited", "away"], lookups: 0 });
    expect(await ask(true, options)).toEqual(await ask(false, options));
  }
});

test("what was remembered of a known station never makes it an unknown one, should Redis lose its record", async () => {
  const { find, findUnrecorded, lookups, release } = scene({ kind: "found", record: RECORD });
  release();
  await findUnrecorded();
  expect(await find()).toEqual({ kind: "found", record: RECORD });
  expect(lookups).toEqual([CS001, CS001]);
});
