import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { expect, test } from "vitest";
import { Keepalive } from "./keepalive.ts";
import { keepaliveTimes } from "./keepalive-times.ts";

const TIMES = { pingSeconds: 25, silenceSeconds: 75 };

class FakeSocket {
  readonly pings: number[] = [];
  readonly lostAt: number[] = [];
  readonly #second: () => number;

  constructor(second: () => number) {
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
  const keepalive = new Keepalive<FakeSocket>({
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
