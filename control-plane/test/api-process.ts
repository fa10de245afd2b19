import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIES_AT_STATEMENT = fileURLToPath(new URL("./dies-at-statement.ts", import.meta.url));

export interface ApiProcess {
  url: string;
  child: ChildProcess;
  /** Resolves when it has ended, to the signal that ended it. */
  ended: Promise<string | null>;
}

/**
 * A real api process on a free port; resolves when it serves.
 * @param diesAt the beginning of a statement: it kills itself (SIGKILL) in front of the first one that begins so.
 */
export async function startApiProcess(env: Record<string, string | undefined>, diesAt?: string): Promise<ApiProcess> {
  const child = spawn(process.execPath, ["--conditions=source", "control-plane/processes/api/main.ts"], {
    cwd: ROOT,
    env: {
      PATH: process.env["PATH"],
      ...env,
      INTERNAL_PORT: "0",
      ...(diesAt === undefined ? {} : { DIES_AT: diesAt, NODE_OPTIONS: `--import=${DIES_AT_STATEMENT}` }),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close").then(([, signal]) => signal as string | null);
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const entry = JSON.parse(line) as { msg: string; port: number };
      if (entry.msg === "ready") resolve(entry.port);
    });
    void ended.then((signal) => reject(new Error(`the api process ended: ${signal}`)));
  });
  return { url: `http://127.0.0.1:${port}`, child, ended };
}
