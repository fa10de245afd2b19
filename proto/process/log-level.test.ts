import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { createLogLevelSwitch } from "./log-level.ts";
import { createLogger } from "./logger.ts";

function scene() {
  const lines: string[] = [];
  const log = createLogger("info", "test", { destination: { write: (line) => void lines.push(line) } });
  const told = () => lines.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg);
  return { log, levels: createLogLevelSwitch(log, "info"), told };
}

test("a level that is changed holds for what was derived from the log before, to any depth", () => {
  const { log, levels, told } = scene();
  const grandchild = log.child({ station: "cp" }).child({ epoch: 1 });
  grandchild.debug("unheard");
  expect(levels.set("debug")).toBe(true);
  grandchild.debug("heard");
  log.child({}).debug("heard too");
  expect(told()).toEqual(["log level changed", "heard", "heard too"]);
  levels.set("error");
  grandchild.warn("unheard");
  expect(levels.level).toBe("error");
  expect(told()).toEqual(["log level changed"]);
});

test("what is no level changes nothing", () => {
  const { levels, told } = scene();
  expect(["verbose", "", "silent", "toString"].map((level) => levels.set(level))).toEqual([false, false, false, false]);
  expect([levels.level, told()]).toEqual(["info", []]);
});

test("it is switched to debug and back to where it was started", () => {
  const { levels } = scene();
  levels.set("warn");
  levels.toggle();
  expect(levels.level).toBe("debug");
  levels.toggle();
  expect(levels.level).toBe("info");
});

test("SIGUSR2 switches a running process", async () => {
  const file = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    const { openLog } = await import(${file("open-log.ts")});
    const { log, logLevel } = await openLog({ logLevel: "warn", tracing: undefined }, "test", { node: "n-1" });
    process.stdout.write("up\\n");
    setInterval(() => log.level !== "warn" && process.exit(logLevel.level === "debug" ? 7 : 8), 5);`;
  const child = spawn(process.execPath, ["--conditions=source", "--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.push(text);
    if (text.includes("up")) child.kill("SIGUSR2");
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(7);
  expect(JSON.parse(output.join("").split("\n")[1] as string)).toMatchObject({
    process: "test",
    node: "n-1",
    msg: "log level changed",
    from: "warn",
    to: "debug",
  });
});
