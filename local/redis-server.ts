import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { freePort } from "./ports.ts";
import type { RedisProgram } from "./redis-binary.ts";
import { lastLines, sizeOf } from "./log-file.ts";
import { startProcess, type ServerProcess } from "./server-process.ts";

const START_DEADLINE_MS = 60_000; // reading a large append-only file takes its time

export interface RedisServer extends ServerProcess {
  port: number;
  url: string;
}

export interface RedisSettings {
  program: RedisProgram;
  dataDirectory: string;
  logFile: string;
  /** Everything appended to disk within a second; off for tests that do not restart it. */
  appendOnly: boolean;
  password?: string;
  /** Without it any free one. */
  port?: number;
  /** See `startProcess`. */
  diesWithUs?: boolean;
  /** Further lines of configuration, after ours: of what is said twice the last counts. */
  directives?: readonly string[];
  /**
   * Configured by this file, which is written on the first start, and which Redis writes anew when it is given another
   * role: a replica that was promoted comes back as a primary. Sentinels have to have one.
   */
  configFile?: string;
  /** Watches primaries instead of holding data; `directives` say which. */
  sentinel?: boolean;
}

/**
 * Starts Redis on 127.0.0.1 and waits until it has loaded its data. It never evicts: a full Redis refuses writes.
 *
 * @throws with the last lines of its log when it does not start
 */
export async function startRedis(settings: RedisSettings): Promise<RedisServer> {
  mkdirSync(settings.dataDirectory, { recursive: true, mode: 0o700 });
  for (let attempt = 1; ; attempt++) {
    const port = settings.port ?? (await freePort());
    const logBegins = sizeOf(settings.logFile);
    const { configFile } = settings;
    if (configFile !== undefined && (!existsSync(configFile) || attempt > 1))
      writeFileSync(configFile, configuration(settings, port), { mode: 0o600 });
    const server = await startProcess({
      command: settings.program.command,
      // Through standard input unless it is to keep it: `ps` shows arguments, and with them the password.
      args: [configFile ?? "-", ...(settings.sentinel ? ["--sentinel"] : [])],
      ...(configFile === undefined && { input: configuration(settings, port) }),
      logFile: settings.logFile,
      cwd: settings.dataDirectory,
      env: { ...process.env, ...settings.program.env },
      diesWithUs: settings.diesWithUs ?? false,
    });
    if (await answersPing(server, port, settings.password)) {
      return {
        ...server,
        port,
        url: `redis://${settings.password ? `:${encodeURIComponent(settings.password)}@` : ""}127.0.0.1:${port}`,
      };
    }
    await server.stop("SIGKILL", 5_000);
    const said = lastLines(settings.logFile, { from: logBegins });
    const taken = said.includes("Address already in use");
    if (settings.port !== undefined || !taken || attempt === 5) {
      throw new Error(`Redis did not start (${settings.logFile}):\n${said}`);
    }
  }
}

function configuration(settings: RedisSettings, port: number): string {
  const data = [
    'save ""',
    `appendonly ${settings.appendOnly ? "yes" : "no"}`,
    "appendfsync everysec",
    "maxmemory-policy noeviction",
  ];
  return [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir "${settings.dataDirectory}"`,
    ...(settings.sentinel ? [] : data),
    ...(settings.password ? [`requirepass ${settings.password}`] : []),
    ...(settings.directives ?? []),
  ].join("\n");
}

/** @returns false when it ended, or did not answer in time. */
async function answersPing(server: ServerProcess, port: number, password: string | undefined): Promise<boolean> {
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline && !server.hasEnded();) {
    if ((await ask(port, `${password ? `AUTH ${password}\r\n` : ""}PING\r\n`)).includes("+PONG")) return true;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
}

/** One inline command to Redis. While it still loads its data it answers -LOADING. */
async function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(`${command}QUIT\r\n`));
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}
