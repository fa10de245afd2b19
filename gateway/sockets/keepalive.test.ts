import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { expect, test } from "vitest";
import { Keepalive, KeptAlive } from "./keepalive.ts";
import { keepaliveTimes } from "./keepalive-times.ts";

const TIMES = { pingSeconds: 25, silenceSeconds: 75 };

class FakeSocket extends KeptAlive {
  readonly pings: number[] = [];
  readonly lostAt: number[] = [];
  readonly #second: () => number;

  constructor(second: () => number) {
    super();
    this.#second = second;
  }

  ping(): void {
    this.pings.push(this.#second());
  }

  lost(): void {
    this.lostAt.push(this.#second());
  }
}

function scene() {
  let turn = () => {};
  let second = 0;
  const keepalive = new Keepalive({
    every: (ms, run) => {
      expect(ms).toBe(1_000);
      turn = run;
      return { cancel() {} };
    },
    random: () => 0.5,
  });
  const pass = (seconds: number, each: () => void = () => {}) => {
    for (let i = 0; i < seconds; i++) {
      second += 1;
      turn();
      each();
    }
  };
  return { keepalive, pass, socket: () => new FakeSocket(() => second) };
}

test("[1.5-ping] each connection is pinged at its own interval", () => {
  const { keepalive, socket, pass } = scene();
  const [usual, often, never] = [socket(), socket(), socket()];
  keepalive.keep(usual, TIMES);
  keepalive.keep(often, { pingSeconds: 10, silenceSeconds: 75 });
  keepalive.keep(never, { pingSeconds: 0, silenceSeconds: 900 });
  pass(74);
  expect(usual.pings).toEqual([19, 44, 69]);
  expect(often.pings).toEqual([8, 18, 28, 38, 48, 58, 68]);
  expect(never.pings).toEqual([]);
});

test("[1.5-ping] [B2] whoever was silent for 75 s is given up then, once; any frame counts as life", () => {
  const { keepalive, socket, pass } = scene();
  const [dead, alive] = [socket(), socket()];
  keepalive.keep(dead, TIMES);
  keepalive.keep(alive, TIMES);
  let passed = 0;
  pass(200, () => {
    passed += 1;
    if (passed % 70 === 0) keepalive.heard(alive);
  });
  expect(dead.lostAt).toEqual([75]);
  expect(alive.lostAt).toEqual([]);
  pass(200);
  expect(alive.lostAt).toEqual([140 + 75]);
});

test("[1.5-ping] other times for a connection are in force at once, and what was heard still counts", () => {
  const { keepalive, socket, pass } = scene();
  const one = socket();
  keepalive.keep(one, { pingSeconds: 300, silenceSeconds: 900 });
  pass(60);
  keepalive.keep(one, { pingSeconds: 10, silenceSeconds: 75 });
  pass(15);
  expect(one.pings).toEqual([68]);
  expect(one.lostAt).toEqual([75]);
});

test("a removed connection is left alone", () => {
  const { keepalive, socket, pass } = scene();
  const gone = socket();
  keepalive.keep(gone, TIMES);
  keepalive.remove(gone);
  pass(100);
  expect([gone.pings, gone.lostAt]).toEqual([[], []]);
});

test("those that end while others of their tick are looked at, or change their times then, disturb nobody", () => {
  const { keepalive, socket, pass } = scene();
  const all = Array.from({ length: 6 }, socket);
  for (const one of all) keepalive.keep(one, TIMES);
  const [a, b, c, d, e, f] = all as [FakeSocket, FakeSocket, FakeSocket, FakeSocket, FakeSocket, FakeSocket];
  const pinged = f.ping.bind(f);
  // Looked at first, it ends itself and one that waits behind it, and gives another one new times.
  f.ping = () => {
    pinged();
    keepalive.remove(f);
    keepalive.remove(d);
    keepalive.keep(e, { pingSeconds: 2, silenceSeconds: 75 });
  };
  keepalive.remove(b);
  pass(21);
  expect([a, b, c, d, e, f].map(({ pings }) => pings)).toEqual([[19], [], [19], [], [21], [19]]);
  pass(60);
  expect([a, b, c, d, e, f].map(({ lostAt }) => lostAt)).toEqual([[75], [], [75], [], [75], []]);
});

test("[1.5-ping] a profile's interval lengthens the silence that is borne, and never shortens it", () => {
  const defaults = { pingIntervalMs: 25_000, idleTimeoutMs: 75_000 };
  const times = (quirks?: StationRecord["quirks"]) =>
    keepaliveTimes({ heartbeatIntervalSeconds: 300, ...(quirks && { quirks }) } as StationRecord, defaults);
  expect(times()).toEqual({ pingSeconds: 25, silenceSeconds: 75 });
  expect(times({ ping_interval: { mode: "report_only", seconds: 120 } })).toEqual(times());
  expect(times({ ping_interval: { mode: "accept", seconds: 120 } })).toEqual({ pingSeconds: 120, silenceSeconds: 360 });
  expect(times({ ping_interval: { mode: "accept", seconds: 10 } })).toEqual({ pingSeconds: 10, silenceSeconds: 75 });
  // No pings of ours: nothing but Heartbeats can be expected.
  expect(times({ ping_interval: { mode: "accept", seconds: 0 } })).toEqual({ pingSeconds: 0, silenceSeconds: 900 });
});
