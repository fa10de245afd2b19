import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import { decodeEntry } from "@dynamo-csms/proto/stream-entry";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGatewayWorld } from "../bench/gateway-world.ts";
import { openLab, startReference, type Lab } from "../bench/lab.ts";
import { measureInTurn } from "../bench/measure-in-turn.ts";

interface Reading {
  transactionId: number;
  meterValue: [{ timestamp: string; sampledValue: [{ value: string }] }];
}

const hasGo = spawnSync("go", ["version"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-test-bench-"));
const context = { repetitions: 1, short: true, folder, report() {} };
let lab: Lab;

beforeAll(async () => {
  if (hasGo) lab = { ...(await openLab(context)), warmMs: 100, measureMs: 300 };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasGo)("benches, which want Go", () => {
  test("a gateway and a reference are measured, and what was answered is in the lane", async () => {
    const world = await startGatewayWorld({ ...context, ...lab, stations: 20 });
    const reference = await startReference("uws-validated", { ...context, ...lab });
    try {
      let stored = 0;
      const ours = {
        ...world.contender("ours"),
        async tidy() {
          const [laneId = ""] = await world.redis.hkeys(LANES);
          for (const [, fields] of await world.redis.xrangeBuffer(lane(laneId), "-", "+"))
            stored += decodeEntry(fields[1] as Buffer).filter(({ kind }) => kind === "inbound").length;
          await world.tidy();
        },
      };
      const phases = ["Heartbeat", "MeterValues"];
      const visits = await measureInTurn({
        ...lab,
        ...context,
        contenders: [reference, ours],
        phases,
        connections: 20,
      });
      const answered = phases.map((phase) => visits("ours", phase)[0]?.messages ?? 0);
      expect(Math.min(...answered)).toBeGreaterThan(0);
      // Warming up is stored, and not counted.
      expect(stored).toBeGreaterThan(answered.reduce((sum, count) => sum + count, 0));
      expect(visits("uws-validated", "MeterValues")[0]?.messages).toBeGreaterThan(0);
    } finally {
      await Promise.all([world.close(), reference.stop()]);
    }
  });

  test("a fleet that charges tells readings of its own, each one another", async () => {
    const identities = ["cp_a", "cp_b"] as StationIdentity[];
    const stations = identities.map((identity, at) => ({ identity, transactionId: 100_001 + at }));
    const world = await startGatewayWorld({ ...context, ...lab, stations });
    try {
      let connected = false;
      const [figures] = await lab.generator.calls({
        ...world.target(),
        ...{ connections: 2, phases: ["MeterValues!"], warmMs: 0, measureMs: 200, rate: 100, told: 40, watch: {} },
        rest: { ms: 10, connected: () => (connected = true) },
      });
      expect(connected).toBe(true);
      expect(figures).toMatchObject({ phase: "MeterValues!", wrong: 0, lost: 0, unanswered: 0 });
      const [laneId = ""] = await world.redis.hkeys(LANES);
      const entries = await world.redis.xrangeBuffer(lane(laneId), "-", "+");
      const told = entries
        .flatMap(([, fields]) => decodeEntry(fields[1] as Buffer))
        .filter((frame) => frame.kind === "inbound")
        .map(({ identity, text }) => {
          const [, , action, payload] = JSON.parse(text) as [2, string, string, Reading];
          const [{ timestamp, sampledValue }] = payload.meterValue;
          return { identity, action, transactionId: payload.transactionId, timestamp, energy: sampledValue[0].value };
        });
      expect(told.length).toBeGreaterThan(10);
      for (const { identity, transactionId } of stations) {
        const own = told.filter((one) => one.identity === identity);
        expect(own.every((one) => one.action === "MeterValues" && one.transactionId === transactionId)).toBe(true);
        expect(new Set(own.map(({ timestamp }) => timestamp)).size).toBe(own.length);
        expect(new Set(own.map(({ energy }) => energy)).size).toBe(own.length);
        expect(own[0]?.timestamp).toMatch(/T00:00:41\.000Z$/);
      }
    } finally {
      await world.close();
    }
  });

  test("a server whose answers carry other ids is found out", async () => {
    const constant = await startReference("uws-constant", { ...context, ...lab });
    try {
      const contenders = [{ ...constant, check: true }];
      const measured = measureInTurn({ ...lab, ...context, contenders, phases: ["Heartbeat"], connections: 20 });
      await expect(measured).rejects.toThrow("wrong answers");
    } finally {
      await constant.stop();
    }
  });

  test("connections are held, their handshakes told, and let go", async () => {
    const bare = await startReference("uws-handshake", { ...context, ...lab });
    try {
      const held = await lab.generator.hold({ ...bare.target, connections: 50, watch: bare.watch, settleMs: 10 });
      expect(held.figures).toMatchObject({ connections: 50 });
      await held.release();
    } finally {
      await bare.stop();
    }
    const nobody = lab.generator.hold({ ports: [1], path: "/", connections: 1, watch: {}, settleMs: 10 });
    await expect(nobody).rejects.toThrow("connect");
  });
});
