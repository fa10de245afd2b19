import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { NotHere } from "../chart/go-tools.ts";
import { FOLDERS } from "../folders.ts";

const run = promisify(execFile);

/** Our images: a Dockerfile each. */
export const IMAGES = ["gateway", "control-plane"] as const;
export type ImageName = (typeof IMAGES)[number];

/** As the chart names them. */
export const imageTag = (name: ImageName, version: string) => `dynamo-csms/${name}:${version}`;

export type Engine = "docker" | "buildah";

/**
 * What builds images here: a Docker engine that answers, or buildah, which needs none.
 *
 * @throws NotHere on a machine with neither
 */
export async function findEngine(): Promise<Engine> {
  if (await works("docker", ["info"])) return "docker";
  if ((await works("buildah", ["--version"])) && process.getuid?.() === 0) return "buildah";
  throw new NotHere(
    "images: no Docker engine answers, and buildah is not installed or not run as root (Debian: apt-get install buildah debootstrap)",
  );
}

/** Whether a program is there and does what it is asked. */
export async function works(command: string, args: string[]): Promise<boolean> {
  return run(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

/** buildah with a store of our own, that `npm run reset` takes away with all else. Resolves to its output. */
export async function buildah(...args: string[]): Promise<string> {
  const store = join(FOLDERS.root, ".local", "images");
  const where = ["--root", join(store, "root"), "--runroot", join(store, "run"), "--storage-driver", "overlay"];
  try {
    return (await run("buildah", [...where, ...args], { maxBuffer: 64 << 20 })).stdout.trim();
  } catch (cause) {
    const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
    const said = `${stdout}${stderr}`.trim().split("\n").slice(-30).join("\n");
    throw new Error(`buildah ${args[0]}:\n${said}`, { cause });
  }
}
