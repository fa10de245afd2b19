import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clockEnvironment } from "../faults/servers/stepped-clock.ts";

const HOUR_MS = 3_600_000;

// What a process of ours uses: the wall clock, the monotonic one, timers, and a connection with timeouts of its own.
const WATCHED = `
  import { Redis } from "ioredis";
  const redis = new Redis(process.env.TEST_REDIS_URL, { commandTimeout: 2_000 });
  redis.on("error", (error) => { console.log(JSON.stringify({ error: error.message })); process.exit(1); });
  let ticks = 0;
  setInterval(async () => {
    const answer = await redis.ping().catch(String);
    console.log(JSON.stringify({ wallMs: Date.now(), monotonicMs: performance.now(), ticks: ++ticks, answer }));
  }, 100);
`;

test("a step moves the wall clock of a running Node, and neither its timers nor its connections", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "stepped-clock-"));
  const clock = await clockEnvironment(folder);
  if ("reason" in clock) return context.skip(clock.reason);
  const child = spawn(process.execPath, ["--input-type=module", "--eval", WATCHED], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...clock.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const seen: { wallMs: number; monotonicMs: number; ticks: number; answer: string; aheadMs: number }[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    for (const line of String(chunk).trim().split("\n")) {
      const said = JSON.parse(line);
      seen.push({ ...said, aheadMs: said.wallMs - Date.now() });
    }
  });
  /** To the minute: whole lines arrive a moment after they were said. */
  const aheadHours = () => Math.round(((seen.at(-1)?.aheadMs ?? NaN) / HOUR_MS) * 60) / 60;
  try {
    for (const hours of [0, 1, 0, -1, 0]) {
      clock.step(hours * 3_600);
      await expect.poll(aheadHours, { timeout: 20_000 }).toBe(hours);
    }
    expect(new Set(seen.map(({ answer }) => answer))).toEqual(new Set(["PONG"]));
    // Every timer came, and none early or an hour late by the monotonic clock, which went on as ours did.
    expect(seen.map(({ ticks }) => ticks)).toEqual(seen.map((_, index) => index + 1));
    const steps = seen.slice(1).map(({ monotonicMs }, index) => monotonicMs - (seen[index]?.monotonicMs ?? 0));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...steps)).toBeLessThan(60_000);
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
