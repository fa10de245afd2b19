import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

test("a gateway that is misconfigured says every mistake on stderr, nothing else, and ends with 1", async () => {
  const child = spawn(process.execPath, ["--conditions=source", join(import.meta.dirname, "..", "main.ts")], {
    env: { GATEWAY_PORT: "99999", REDIS_URL: "http://x", SECRETS_KEY: "canary", ACK_DURABILITY: "never" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], stdout, stderr] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  expect({ code: code as unknown, stdout }).toEqual({ code: 1, stdout: "" });
  const [first, ...further] = stderr.trimEnd().split("\n");
  expect(first).toBe("gateway did not start. Its environment has 6 mistakes:");
  expect(further.at(-1)).toContain("start it again");
  expect(further.slice(0, -1).map((line) => /^ {2}([A-Z_]+)/.exec(line)?.[1])).toEqual([
    "GATEWAY_PORT",
    "REDIS_URL",
    "DECISIONS_URL",
    "STATION_PEPPERS",
    "SECRETS_KEY",
    "ACK_DURABILITY",
  ]);
  expect(stderr).not.toContain("canary");
});
