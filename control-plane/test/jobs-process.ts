import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DIES_AT_STATEMENT = fileURLToPath(new URL("./dies-at-statement.ts", import.meta.url));

export interface JobsProcess {
  signal(name: NodeJS.Signals): void;
  /** Resolves when it has ended, to the signal that ended it. */
  ended: Promise<string | null>;
}

export interface JobsServers {
  databaseUrl: string;
  redisUrl: string;
  smtpUrl: string;
  /** As base64. */
  secretsKey: string;
}

/**
 * A real jobs process; resolves when it is at work.
 * @param diesAt the beginning of a statement: it kills itself (SIGKILL) in front of the first one that begins so.
 */
export async function startJobsProcess(servers: JobsServers, diesAt?: string): Promise<JobsProcess> {
  const child: ChildProcess = spawn(process.execPath, ["--conditions=source", "control-plane/processes/jobs/main.ts"], {
    cwd: ROOT,
    env: {
      PATH: process.env["PATH"],
      DATABASE_URL: servers.databaseUrl,
      REDIS_URL: servers.redisUrl,
      SMTP_URL: servers.smtpUrl,
      SECRETS_KEY: servers.secretsKey,
      PUBLIC_OCPP_URL: "wss://ocpp.dynamo-csms.com",
      MAIL_FROM: "no-reply@example.org",
      WEBHOOK_ALLOW_PRIVATE: "true",
      INTERNAL_PORT: "0",
      JOBS_SWEEP: "200ms",
      ...(diesAt === undefined ? {} : { DIES_AT: diesAt, NODE_OPTIONS: `--import=${DIES_AT_STATEMENT}` }),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(([, signal]) => signal as string | null);
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stdout as NodeJS.ReadableStream).on("line", (line) => {
      if ((JSON.parse(line) as { msg: string }).msg === "ready") resolve();
    });
    void ended.then((signal) => reject(new Error(`the jobs process ended: ${signal}`)));
  });
  return { signal: (name) => void child.kill(name), ended };
}
