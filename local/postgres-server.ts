import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./ports.ts";
import { lastLines, sizeOf } from "./log-file.ts";
import { startProcess, type ServerProcess } from "./server-process.ts";
import type { RunAs } from "./unprivileged-user.ts";

const SUPERUSER = "postgres";
const START_DEADLINE_MS = 60_000; // crash recovery of a large write-ahead log takes its time

export interface PostgresServer extends ServerProcess {
  port: number;
  /** Superuser, database `postgres`. */
  url: string;
}

export interface PostgresSettings {
  /** From `postgresBinaries`. */
  binaries: string;
  /** Made on the first start. Its parent must let `runAs` in. */
  dataDirectory: string;
  logFile: string;
  /** Set on the first start; the same afterwards. */
  password: string;
  runAs: RunAs | undefined;
  /** Without it any free one. */
  port?: number;
  /** See `startProcess`. */
  diesWithUs?: boolean;
  /** Name → value, as in postgresql.conf. */
  parameters?: Record<string, string>;
  /** Version 16 and before have no locale of their own: the system's is taken. */
  systemLocale?: boolean;
  /** Added to the environment of its programs: where their libraries are. */
  programEnv?: Record<string, string>;
  /** Added to the server's environment alone. */
  env?: Record<string, string>;
}

/**
 * Starts Postgres on 127.0.0.1, makes its data directory before where there is none, and waits until it takes
 * connections.
 *
 * @throws with the last lines of its log when it does not start
 */
export async function startPostgres(settings: PostgresSettings): Promise<PostgresServer> {
  if (!existsSync(join(settings.dataDirectory, "PG_VERSION"))) await createCluster(settings);
  for (let attempt = 1; ; attempt++) {
    const port = settings.port ?? (await freePort());
    const logBegins = sizeOf(settings.logFile);
    const server = await startProcess({
      command: join(settings.binaries, "bin", "postgres"),
      args: ["-D", settings.dataDirectory, ...parameterArguments(settings.parameters, port)],
      logFile: settings.logFile,
      cwd: "/", // the checkout may be closed to the user it runs as
      env: { PATH: process.env["PATH"], LC_ALL: "C", ...settings.programEnv, ...settings.env },
      runAs: settings.runAs,
      diesWithUs: settings.diesWithUs ?? false,
    });
    const began = await hasBegun(server, join(settings.dataDirectory, "postmaster.pid"));
    if (began) {
      const url = `postgres://${SUPERUSER}:${encodeURIComponent(settings.password)}@127.0.0.1:${port}/postgres`;
      return { ...server, port, url };
    }
    await server.stop("SIGQUIT", 5_000);
    const said = lastLines(settings.logFile, { from: logBegins });
    // Another try helps when the port was taken since we looked, or while the sessions of a killed server still end.
    const helps =
      said.includes("shared memory block") || (settings.port === undefined && said.includes("could not bind"));
    if (!helps || attempt === 5) {
      throw new Error(`Postgres did not start (${settings.logFile}):\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function parameterArguments(parameters: Record<string, string> = {}, port: number): string[] {
  const all = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    timezone: "UTC",
    log_timezone: "UTC",
    ...parameters,
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** In a folder beside, renamed when it is whole: a start that is broken off here leaves nothing that looks finished. */
async function createCluster(settings: PostgresSettings): Promise<void> {
  const { dataDirectory, runAs } = settings;
  const unfinished = `${dataDirectory}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(dirname(dataDirectory), { recursive: true });
  mkdirSync(unfinished, { mode: 0o700 });
  chmodSync(unfinished, 0o700);
  const passwordFile = `${dataDirectory}.password`;
  writeFileSync(passwordFile, settings.password, { mode: 0o600 });
  try {
    if (runAs) for (const path of [unfinished, passwordFile]) chownSync(path, runAs.uid, runAs.gid);
    await promisify(execFile)(
      join(settings.binaries, "bin", "initdb"),
      [
        "-D",
        unfinished,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        ...(settings.systemLocale
          ? ["--locale=C.UTF-8"]
          : ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]),
        "--no-sync",
      ],
      { cwd: "/", env: { PATH: process.env["PATH"], LC_ALL: "C", ...settings.programEnv }, ...runAs },
    );
  } catch (cause) {
    throw new Error(
      `Postgres could not make its data directory: ${(cause as { stderr?: string }).stderr || String(cause)}`,
      { cause },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(unfinished, dataDirectory);
}

/** @returns false when it ended, or did not begin in time. */
async function hasBegun(server: ServerProcess, statusFile: string): Promise<boolean> {
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline && !server.hasEnded();) {
    // Line 1 is the process, line 8 its state: what pg_ctl reads.
    const lines = existsSync(statusFile) ? readFileSync(statusFile, "utf8").split("\n") : [];
    if (lines[0] === String(server.pid) && ["ready", "standby"].includes(lines[7]?.trim() ?? "")) return true;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
}
