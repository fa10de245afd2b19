// The local stack: what `npm start` runs.
import { chmodSync, mkdirSync } from "node:fs";
import { relative } from "node:path";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { type Report, startDetached } from "./detach.ts";
import { FOLDERS } from "./folders.ts";
import { whenAbandoned } from "./lifeline.ts";
import { isAlive } from "./process-identity.ts";
import { runStack } from "./run-stack.ts";
import { readStackConfig } from "./stack-config.ts";
import { endLeftovers, readState } from "./stack-state.ts";

/** Set for the process that a detached start leaves running: it reports to the one that started it. */
const isBackground = process.env["DYNAMO_BACKGROUND"] === "1";
const detach = process.argv.includes("--detach");

const config = configure("the local stack", () => readStackConfig(process.env));
mkdirSync(FOLDERS.logs, { recursive: true });
chmodSync(FOLDERS.logs, 0o700);

if (!isBackground) {
  const phase = await findRunning();
  if (phase) process.exit(detach && phase === "ready" ? 0 : 1);
  if (detach) process.exit(await startDetached());
}

const stack = runStack(config, {
  say(line) {
    console.log(line);
    void tellStarter({ kind: "say", line });
  },
  howToEnd: isBackground ? "npm stop" : "Ctrl-C, or npm stop",
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => void stack.stop(`${signal}: stopping everything`));
if (!isBackground)
  whenAbandoned(
    process.env["npm_lifecycle_event"] !== undefined,
    () => void stack.stop("npm is gone: stopping everything"),
  );

const failure = await stack.started;
if (failure === undefined) await tellStarter({ kind: "ready" });
else await report(failure);
await stack.ended;
process.exit(failure === undefined ? 0 : 1);

/** Says so when the stack of this checkout runs already; cleans up after one that was killed. */
async function findRunning(): Promise<string | undefined> {
  const state = readState(FOLDERS.state);
  if (!state) return undefined;
  if (isAlive(state.supervisor)) {
    const file = relative(process.cwd(), FOLDERS.credentials);
    console.log(
      `already running (process ${state.supervisor.pid}, ${state.phase}). npm stop ends it; ${file} says where everything is.`,
    );
    return state.phase;
  }
  const ended = await endLeftovers(state);
  if (ended.length > 0) console.log(`ended what an earlier start had left running: ${ended.join(", ")}`);
  return undefined;
}

async function report(reason: string): Promise<void> {
  console.error(`\n${reason}`);
  await tellStarter({ kind: "failed", reason });
}

/** To the detached start, while it still waits for us; afterwards the log alone has it. */
function tellStarter(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });
}
