import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FOLDERS } from "./folders.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";
import { redisProgram } from "./redis-binary.ts";
import { startRedis, type RedisServer } from "./redis-server.ts";
import { everyoneCanEnter, unprivilegedUser } from "./unprivileged-user.ts";

/** A server of a test's own, which it may kill and start again on the same port and data. */
export interface TestServer {
  url: string;
  port: number;
  pid(): number;
  /** Ends it in order. Its data stays until `remove`. */
  stop(): Promise<void>;
  /** As a crash: SIGKILL, and resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: there, and silent. */
  pause(): void;
  resume(): void;
  /** Starts it again after `stop` or `kill`: same port, same data, same URL. */
  restart(): Promise<void>;
  /** Ends it and deletes its data. */
  remove(): Promise<void>;
}

interface Running {
  pid: number;
  port: number;
  url: string;
  hasEnded(): boolean;
  kill(signal: NodeJS.Signals): void;
  stop(signal: NodeJS.Signals, deadlineMs: number): Promise<void>;
}

/**
 * A Redis on a free port of 127.0.0.1.
 *
 * @param appendOnly keeps its data over a restart (appendfsync everysec); otherwise a restart comes back empty
 */
export async function startTestRedis({ appendOnly = false } = {}): Promise<TestServer> {
  const program = await redisProgram(FOLDERS.tools, console.log);
  const folder = temporaryFolder("redis");
  const start = (port?: number): Promise<RedisServer> =>
    startRedis({
      program,
      appendOnly,
      diesWithUs: true,
      dataDirectory: join(folder, "data"),
      logFile: join(folder, "log"),
      ...(port && { port }),
    });
  return restartable(folder, start, "SIGTERM");
}

/**
 * A Postgres on a free port of 127.0.0.1, with nothing in it. The URL is the superuser's.
 *
 * @param parameters as in postgresql.conf. By default it does not wait for the disk: killing the process loses
 *   nothing then, only a crash of the machine would.
 */
export async function startTestPostgres({
  parameters = {},
}: { parameters?: Record<string, string> } = {}): Promise<TestServer> {
  const runAs = unprivilegedUser();
  const folder = temporaryFolder("postgres");
  const binaries = postgresBinaries(runAs, join(folder, "binaries"));
  const start = (port?: number): Promise<PostgresServer> =>
    startPostgres({
      binaries,
      runAs,
      dataDirectory: join(folder, "data"),
      logFile: join(folder, "log"),
      password: "test",
      diesWithUs: true,
      parameters: { fsync: "off", full_page_writes: "off", max_connections: "300", ...parameters },
      ...(port && { port }),
    });
  return restartable(folder, start, "SIGINT");
}

async function restartable(
  folder: string,
  start: (port?: number) => Promise<Running>,
  endSignal: NodeJS.Signals,
): Promise<TestServer> {
  let running: Running;
  try {
    running = await start();
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  }
  const { port, url } = running;
  // A test run that ends before it can clean up takes its servers along; killed, it leaves only the folder (see diesWithUs).
  const atExit = () => {
    running.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once("exit", atExit);
  return {
    url,
    port,
    pid: () => running.pid,
    stop: () => running.stop(endSignal, 20_000),
    kill: () => running.stop("SIGKILL", 20_000),
    pause: () => running.kill("SIGSTOP"),
    resume: () => running.kill("SIGCONT"),
    async restart() {
      if (!running.hasEnded()) await running.stop(endSignal, 20_000);
      running = await start(port);
    },
    async remove() {
      running.kill("SIGCONT");
      await running.stop(endSignal, 20_000);
      process.removeListener("exit", atExit);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Where every user can enter: as root Postgres runs as another one. */
export function temporaryFolder(name: string): string {
  const parent = process.getuid?.() !== 0 || everyoneCanEnter(tmpdir()) ? tmpdir() : "/var/tmp";
  const folder = mkdtempSync(join(parent, `dynamo-csms-test-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}
