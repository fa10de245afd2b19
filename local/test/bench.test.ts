import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import { decodeEntry } from "@dynamo-csms/proto/stream-entry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGatewayWorld } from "../bench/gateway-world.ts";
import { openLab, startReference, type Lab } from "../bench/lab.ts";
import { measureInTurn } from "../bench/measure-in-turn.ts";

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
