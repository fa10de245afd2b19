import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FOLDERS } from "./folders.ts";

/** What the stack in the background says to the one that started it. */
export type Report = { kind: "say"; line: string } | { kind: "ready" } | { kind: "failed"; reason: string };

/**
 * Starts the stack in the background, shows its progress, and resolves when it is ready or has failed: to the exit code.
 * Ctrl-C meanwhile ends it.
 */
export async function startDetached(): Promise<number> {
  const output = openSync(join(FOLDERS.logs, "stack.log"), "a", 0o600);
  const child = spawn(process.execPath, ["--conditions=source", fileURLToPath(new URL("stack.ts", import.meta.url))], {
    cwd: FOLDERS.root,
    detached: true,
    env: { ...process.env, DYNAMO_BACKGROUND: "1" },
    stdio: ["ignore", output, output, "ipc"],
  });
  closeSync(output);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    child.on("message", (report: Report) => {
      if (report.kind === "say") console.log(report.line);
      if (report.kind === "failed") console.error(`\n${report.reason}`);
      if (report.kind !== "ready") return;
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.on("exit", () => resolve(1));
  });
}
