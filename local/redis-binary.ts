import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { extractDebianPackages, isDebian } from "./debian-packages.ts";

export interface RedisProgram {
  command: string;
  /** Added to the environment it runs in: where its libraries are. */
  env: Record<string, string>;
}

const REMEDY = "install Redis 7 or newer (or Valkey), or set REDIS_URL to one that runs";

/**
 * `redis-server` 7 or newer: the one on PATH, else the one fetched before, else Debian's packages, unpacked into a
 * folder of ours without touching the system.
 *
 * @param folder where fetched programs are kept
 * @param say progress for a person
 * @throws with the remedy when there is none
 */
export async function redisProgram(folder: string, say: (line: string) => void): Promise<RedisProgram> {
  const installed: RedisProgram = { command: "redis-server", env: {} };
  if ((await majorVersion(installed)) >= 7) return installed;

  const unpacked = join(folder, "redis");
  const fetched = fetchedProgram(unpacked);
  if (existsSync(fetched.command) && (await majorVersion(fetched)) >= 7) return fetched;

  if (!isDebian()) throw new Error(`there is no redis-server 7 or newer on PATH: ${REMEDY}`);
  say("Redis: none on this machine, fetching Debian's package (nothing is installed on the system)");
  try {
    await extractDebianPackages(["redis-server", "redis-tools"], unpacked);
  } catch (cause) {
    throw new Error(
      `Redis could not be fetched (${cause instanceof Error ? cause.message : String(cause)}): ${REMEDY}`,
      { cause },
    );
  }
  const version = await majorVersion(fetched);
  if (version >= 7) return fetched;
  throw new Error(
    version === 0
      ? `the fetched redis-server does not run on this machine: ${REMEDY}`
      : `this system's Redis is version ${version}: ${REMEDY}`,
  );
}

function fetchedProgram(unpacked: string): RedisProgram {
  const libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu", ""].map((triplet) =>
    join(unpacked, "usr", "lib", triplet),
  );
  return {
    command: join(unpacked, "usr", "bin", "redis-server"),
    env: { LD_LIBRARY_PATH: [...libraries, ...libraries.map((path) => path.replace("/usr/lib", "/lib"))].join(":") },
  };
}

/** 0 when it does not run. */
async function majorVersion(program: RedisProgram): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)(program.command, ["--version"], {
      env: { ...process.env, ...program.env },
    });
    return Number(/v=(\d+)/.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
