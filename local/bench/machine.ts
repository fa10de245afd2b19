import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { FOLDERS } from "../folders.ts";
import { postgresBinaries } from "../postgres-binaries.ts";
import { redisProgram } from "../redis-binary.ts";

/** What was measured on and with, as pairs of name and value. Starts nothing but `--version`s. */
export async function describeMachine(): Promise<[name: string, value: string][]> {
  const redis = await redisProgram(FOLDERS.tools, () => {});
  return [
    ["CPU", `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["kernel", `Linux ${release()}`],
    ["Node", process.version],
    ["uWebSockets.js", packageVersion("uWebSockets.js")],
    ["Redis", await versionOf(redis.command, redis.env)],
    ["Postgres", await versionOf(join(postgresBinaries(undefined, ""), "bin", "postgres"), {})],
    ["date", new Date().toISOString().slice(0, 10)],
  ];
}

function packageVersion(name: string): string {
  const main = createRequire(import.meta.url).resolve(name);
  const { version } = JSON.parse(readFileSync(join(dirname(main), "package.json"), "utf8")) as { version: string };
  return version;
}

/** The first number with a dot that a program says of itself. */
async function versionOf(command: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(command, ["--version"], { env: { ...process.env, ...env } });
  return /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? stdout.trim();
}
