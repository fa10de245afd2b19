import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createShutdown, type StopStep } from "./shutdown.ts";

const log = pino({ enabled: false });

function scene() {
  const done: string[] = [];
  const step = (name: string, run: StopStep["run"] = () => {}): StopStep => ({
    name,
    run: async () => {
      await run();
      done.push(name);
    },
  });
  return { done, step };
}

test("the steps run in order, and a second call is the first", async () => {
  const { done, step } = scene();
  const stop = createShutdown([step("a", () => Promise.resolve()), step("b")], 10_000, log);
  expect(await Promise.all([stop(), stop()])).toEqual([0, 0]);
  expect(done).toEqual(["a", "b"]);
});

test("a failed step shows in the exit code and does not skip the next", async () => {
  const { done, step } = scene();
  const thrown = () => {
    throw new Error("broken");
  };
  const rejected = () => Promise.reject(new Error("broken"));
  const stop = createShutdown([step("a", rejected), { name: "b", run: thrown }, step("c")], 10_000, log);
  expect(await stop()).toBe(1);
  expect(done).toEqual(["c"]);
});

test("a step that hangs is left behind at the deadline", async () => {
  const { done, step } = scene();
  const stop = createShutdown([step("a", () => new Promise(() => {})), step("b")], 20, log);
  expect(await stop()).toBe(1);
  expect(done).toEqual([]);
});

/** A process that is made of these modules alone. */
function startProcess(body: string) {
  const imports = [
    `import { createShutdown, stopOnSignals, endOnFault } from "${new URL("shutdown.ts", import.meta.url).href}";`,
  ];
  imports.push(`import { createLogger } from "${new URL("logger.ts", import.meta.url).href}";`);
  const script = `${imports.join("\n")}\nconst log = createLogger("info", "test");\n${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([once(child, "close"), text(child.stderr)]).then(([[code], stderr]) => ({
    code: code as number | null,
    stderr,
  }));
  return { child, ended };
}

test("SIGTERM runs the steps, a second one changes nothing, and the exit code is theirs", async () => {
  const { child, ended } = startProcess(`
    const alive = setInterval(() => {}, 1_000);
    stopOnSignals(createShutdown([{ name: "one", run: () => clearInterval(alive) }], 10_000, log), log);
    log.info("ready");`);
  const lines: { msg: string }[] = [];
  for await (const chunk of child.stdout) {
    for (const line of String(chunk).trim().split("\n")) lines.push(JSON.parse(line) as { msg: string });
    if (lines.length === 1) {
      child.kill("SIGTERM");
      child.kill("SIGTERM");
    }
  }
  expect(await ended).toEqual({ code: 0, stderr: "" });
  expect(lines.filter(({ msg }) => msg === "stopped")).toHaveLength(1);
});

test("a fault that nobody caught is one line of the log, and the exit code is 1", async () => {
  const { child, ended } = startProcess(`
    endOnFault(log);
    await Promise.reject(new Error("broken"));`);
  const line = JSON.parse(await text(child.stdout)) as Record<string, unknown>;
  expect(line).toMatchObject({ msg: "crashed", level: 60, error: { message: "broken" } });
  expect(await ended).toEqual({ code: 1, stderr: "" });
});
