import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RedisProgram } from "../../redis-binary.ts";
import { startRedis, type RedisSettings } from "../../redis-server.ts";
import type { RedisNode } from "../contract.ts";
import { breakable } from "./breakable.ts";
import { cutPower } from "./power-cut.ts";
import { redisCommand, redisFields } from "./redis-command.ts";
import { watchDisk } from "./watched-disk.ts";

/** How the Redis of a run is set up: the same for each of its nodes. */
export interface RedisNodeSettings {
  program: RedisProgram;
  /** Where a node's data and log go, in a folder of its name. */
  folder: string;
  /** Further lines of redis.conf; of what is said twice the last counts. */
  directives: readonly string[];
  /** From `watchedDiskLibrary`. */
  library: string;
}

/**
 * Starts one Redis server with an append-only file, on a free port.
 *
 * @param own.rewritesConfiguration it remembers over a restart which role it was given: what Sentinel needs
 */
export async function startRedisNode(
  name: string,
  settings: RedisNodeSettings,
  own: { directives?: readonly string[]; rewritesConfiguration?: boolean } = {},
): Promise<RedisNode> {
  const folder = join(settings.folder, name);
  const dataDirectory = join(folder, "data");
  mkdirSync(folder);
  const disk = watchDisk(settings.library, folder);
  const configured = new Map<string, string>();
  const start = (port?: number) =>
    startRedis({
      program: { ...settings.program, env: { ...settings.program.env, ...disk.environment } },
      dataDirectory,
      logFile: join(folder, "log"),
      appendOnly: true,
      diesWithUs: true,
      directives: [...(own.directives ?? []), ...settings.directives, ...lines(configured)],
      ...(own.rewritesConfiguration && { configFile: join(folder, "redis.conf") }),
      ...(port !== undefined && { port }),
    } satisfies RedisSettings);
  const first = await start();
  const { port } = first;
  const process = breakable(name, first, () => start(port), "SIGTERM");
  return {
    ...process,
    port,
    dataDirectory,
    command: (...args) => redisCommand(port, ...args),
    async configure(setting, value) {
      await redisCommand(port, "CONFIG", "SET", setting, value);
      if (own.rewritesConfiguration) await redisCommand(port, "CONFIG", "REWRITE");
      configured.set(setting, value);
    },
    async role() {
      const role = (await redisFields(port, "INFO", "replication"))?.get("role");
      if (role === undefined) return "away";
      return role === "master" ? "master" : "replica";
    },
    powerCut: async () => ({ cutBytes: await cutPower(join(dataDirectory, "appendonlydir"), disk, process.kill) }),
    fillDisk: async () => disk.fill(),
    freeDisk: async () => disk.free(),
  };
}

function lines(settings: ReadonlyMap<string, string>): string[] {
  return [...settings].map(([name, value]) => `${name} "${value}"`);
}
