import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { FOLDERS } from "../folders.ts";
import { postgresBinaries } from "../postgres-binaries.ts";
import { redisProgram } from "../redis-binary.ts";
import { allowedCpus } from "./cores.ts";

/** What was measured on, and with what: a line each, for people. */
export interface MachineDescription {
  machine: string;
  /** The commit is among them; `-dirty` where the checkout has changes. */
  versions: string;
}

/** Starts nothing but `--version`s, and Git. */
export async function describeMachine(): Promise<MachineDescription> {
  const redis = await redisProgram(FOLDERS.tools, () => {});
  const [cpu] = cpus();
  return {
    machine: `${allowedCpus().length} × ${cpu?.model.trim() || process.arch}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().split("-")[0]}`,
    versions: [
      `Node ${process.versions.node}`,
      `uWebSockets.js ${packageVersion("uWebSockets.js")}`,
      `Redis ${await versionOf(redis.command, redis.env)}`,
      `Postgres ${await versionOf(join(postgresBinaries(undefined, ""), "bin", "postgres"), {})}`,
      `commit ${commit()}`,
    ].join(", "),
  };
}

/** Of a copy without Git, or of one that Git does not want to tell about, the version. */
function commit(): string {
  try {
    const said = execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd: FOLDERS.root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return said.trim();
  } catch {
    const { version } = JSON.parse(readFileSync(join(FOLDERS.root, "package.json"), "utf8")) as { version: string };
    return `unknown, version ${version}`;
  }
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
