import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { UpgradeClaim } from "./admission.ts";
import { AttemptLimit } from "./attempt-limits.ts";
import { createAttemptLog } from "./attempt-log.ts";

const CS001 = "cs001" as StationIdentity;
/** Nobody registered it. */
const GONE = "cs-gone" as StationIdentity;

function scene({ perAddress = 20 } = {}) {
  let flush = () => {};
  const written: { outcome: string; times?: number; remoteAddress: string }[] = [];
  const unknown: string[] = [];
  const attempts = createAttemptLog({
    nodeId: "node-1",
    store: {
      keep: async (batch) => {
        const [known, strange] = [
          batch.filter((one) => one.identity !== GONE),
          batch.filter((one) => one.identity === GONE),
        ];
        written.push(...known.map(({ attempt }) => attempt));
        return strange;
      },
      keepUnknown: async (batch) => void unknown.push(...batch.map(({ remoteAddress }) => remoteAddress)),
    },
    limit: new AttemptLimit({ burst: perAddress, perSecond: 0, maxKeys: 100_000, nowMs: () => 0 }),
    every: (_ms, run) => {
      flush = run;
      return { cancel() {} };
    },
    identityOf: () => undefined,
    nowMs: () => 1_000,
    log: pino({ enabled: false }),
  });
  const refuse = (outcome: "bad_credentials" | "wrong_version", remoteAddress: string, identity = CS001) =>
    attempts.refused(
      { path: `/ocpp/${"x".repeat(500)}`, subprotocols: "y".repeat(500), remoteAddress, listener: 1 } as UpgradeClaim,
      { reason: "bad-credentials", attempt: { outcome, identity } },
    );
  /** Everything that a flush begins is done within the turn: this store never waits. */
  const flushed = async () => {
    flush();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { attempts, refuse, flushed, written, unknown };
}

test("the same attempt within a batch is written once, with how often it was", async () => {
  const { refuse, flushed, written } = scene();
  for (let n = 0; n < 50; n++) refuse("bad_credentials", "192.0.2.1");
  refuse("bad_credentials", "192.0.2.2");
  await flushed();
  expect(written).toMatchObject([{ remoteAddress: "192.0.2.1", times: 50 }, { remoteAddress: "192.0.2.2" }]);
  expect(written[1]).not.toHaveProperty("times");
  await flushed();
  expect(written).toHaveLength(2);
});

test("what belongs to no station is kept for all of them together", async () => {
  const { attempts, refuse, flushed, written, unknown } = scene();
  refuse("bad_credentials", "192.0.2.1");
  refuse("bad_credentials", "192.0.2.2", GONE);
  attempts.withoutRequest("192.0.2.3", 2);
  await flushed();
  expect(written).toMatchObject([{ remoteAddress: "192.0.2.1" }]);
  expect(unknown.toSorted()).toEqual(["192.0.2.2", "192.0.2.3"]);
});

test("texts that a stranger chose are cut", async () => {
  const { refuse, flushed, written } = scene();
  refuse("bad_credentials", "192.0.2.1");
  await flushed();
  expect(JSON.stringify(written[0]).length).toBeLessThan(1_000);
});

test("[D12] an address that goes on for ever is written a limited number of times, a station by its own limit", async () => {
  const { refuse, flushed, written } = scene({ perAddress: 3 });
  for (let n = 0; n < 10; n++) {
    refuse("bad_credentials", "192.0.2.1", `cs${n}` as StationIdentity);
    await flushed();
  }
  expect(written).toHaveLength(3);
  for (let n = 0; n < 10; n++) {
    refuse("wrong_version", "192.0.2.1");
    await flushed();
  }
  expect(written).toHaveLength(6);
});

test("[D12] memory is bounded: of strangers less is kept than of stations", async () => {
  const { refuse, flushed, written } = scene();
  for (let n = 0; n < 5_000; n++) refuse("bad_credentials", `10.0.${n >> 8}.${n & 255}`);
  for (let n = 0; n < 9_000; n++) refuse("wrong_version", "192.0.2.1", `cs${n}` as StationIdentity);
  for (let n = 0; n < 20; n++) await flushed();
  const strangers = written.filter(({ outcome }) => outcome === "bad_credentials");
  expect([strangers.length, written.length]).toEqual([1_000, 5_000]);
});

test("what cannot be written is forgotten, and nobody hears of it", async () => {
  const { attempts } = scene();
  const failing = createAttemptLog({
    nodeId: "node-1",
    store: {
      keep: () => Promise.reject(new Error("away")),
      keepUnknown: () => Promise.reject(new Error("away")),
    },
    limit: { take: () => true, forgetRested: () => undefined },
    every: () => ({ cancel() {} }),
    identityOf: () => undefined,
    nowMs: () => 0,
    log: pino({ enabled: false }),
  });
  failing.withoutRequest("192.0.2.1", 2);
  await failing.stop();
  await attempts.stop();
});
