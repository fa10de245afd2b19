import { expect, test } from "vitest";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { formatLine, isWanted, readLine, readLogOptions, type LogLine, type LogOptions } from "./log-lines.ts";

function written(write: (log: ReturnType<typeof createLogger>) => void): LogLine {
  const lines: string[] = [];
  write(
    createLogger("trace", "gateway", {
      facts: { node: "gw-1-ab" },
      destination: { write: (line) => void lines.push(line) },
    }),
  );
  return readLine(lines[0] as string) as LogLine;
}
const options = (...args: string[]) => (readLogOptions(args) as { value: LogOptions }).value;

test("a line is the time, the level, who, what, and the facts", () => {
  const line = written((log) => log.child({ station: "cp_1" }).warn({ waiting: 3, error: "away" }, "lane waits"));
  expect(formatLine(line, false)).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}gateway gw-1-ab lane waits station=cp_1 waiting=3 error=away$/,
  );
  expect(formatLine(line, true)).toContain("\u001b[33mWARN \u001b[0m");
  const failed = written((log) => log.error({ error: new Error("boom") }, "failed"));
  expect(formatLine(failed, false)).toMatch(/ failed\nError: boom\n {4}at /);
});

test("what a station sent cannot move the cursor", () => {
  const line = written((log) => log.info({ path: "/\u001b[2J\nfake" }, "refused"));
  expect(formatLine(line, false)).toContain("path=/\\x1b[2J\\x0afake");
});

test("lines are chosen by station, node, process, level and trace", () => {
  const line = written((log) => log.info({ station: "cp_1", trace_id: "t1" }, "x"));
  const chosen = (...args: string[]) => isWanted(line, options(...args));
  expect([chosen(), chosen("--station", "CP_1"), chosen("--node", "gw-1"), chosen("--process", "gateway")]).toEqual(
    Array(4).fill(true),
  );
  expect([chosen("--level", "info"), chosen("--trace", "t1")]).toEqual([true, true]);
  expect([chosen("--station", "cp_2"), chosen("--node", "gw-2"), chosen("--level", "warn")]).toEqual(
    Array(3).fill(false),
  );
});

test("what is no line of ours is left out, and what is no option is named", () => {
  for (const text of [
    "",
    "1:M 22 Nov ready",
    "{",
    "[]",
    "{}",
    '{"level":30,"msg":"x"}',
    '{"time":"x","level":30,"msg":"x"}',
  ])
    expect(readLine(text)).toBeUndefined();
  expect(readLogOptions(["--level", "loud"])).toMatchObject({
    ok: false,
    error: expect.stringContaining("loud") as string,
  });
  expect(readLogOptions(["--stations", "x"])).toMatchObject({ ok: false });
  expect(readLogOptions(["--help"])).toEqual({ ok: false, error: "" });
});
