import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { NotHere } from "../chart/go-tools.ts";
import { FOLDERS } from "../folders.ts";
import { buildah, works } from "./engine.ts";

const run = promisify(execFile);
const SYSTEM = "localhost/dynamo-csms/trixie";
const BUILDER = "localhost/dynamo-csms/node-build";
const NPM = "npm@11.19.1";

/**
 * The images that ours are made of, without a registry of images: Debian trixie by debootstrap, and on top of it, to build
 * with, this checkout's Node and npm. Made once.
 *
 * @returns build arguments of our Dockerfiles
 * @throws NotHere without debootstrap
 */
export async function baseImages(say: (line: string) => void): Promise<string[]> {
  const made = await buildah("images", "--format", "{{.Name}}");
  if (!made.includes(SYSTEM)) {
    if (!(await works("debootstrap", ["--version"])))
      throw new NotHere("images without Docker: no debootstrap on this machine (apt-get install debootstrap)");
    say("making the base image: Debian trixie, by debootstrap");
    await inScratch(async (folder) => {
      const system = join(folder, "system");
      await run("debootstrap", ["--variant=minbase", "trixie", system], { maxBuffer: 64 << 20 });
      rmSync(join(system, "var", "cache", "apt", "archives"), { recursive: true, force: true });
      await layer("scratch", SYSTEM, [[system, "/"]]);
    });
  }
  if (!made.includes(BUILDER)) {
    say("making the image to build with: this checkout's Node, and npm");
    await inScratch(async (folder) => {
      await run("npm", ["pack", "--silent", "--pack-destination", folder, NPM]);
      await run("tar", ["-xzf", join(folder, `${NPM.replace("@", "-")}.tgz`), "-C", folder]);
      const local = join(folder, "local");
      mkdirSync(join(local, "bin"), { recursive: true });
      cpSync(process.execPath, join(local, "bin", "node"));
      cpSync(join(folder, "package"), join(local, "lib", "node_modules", "npm"), { recursive: true });
      await run("ln", ["-s", "../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin", "npm")]);
      await layer(SYSTEM, BUILDER, [[local, "/usr/local"]]);
    });
  }
  return [`BUILD_IMAGE=${BUILDER}`, `BASE_IMAGE=${SYSTEM}`];
}

async function layer(from: string, name: string, folders: [from: string, to: string][]): Promise<void> {
  const container = await buildah("from", from);
  try {
    for (const [source, target] of folders) await buildah("add", "--quiet", container, source, target);
    await buildah("commit", "--quiet", container, name);
  } finally {
    await buildah("rm", container);
  }
}

async function inScratch(work: (folder: string) => Promise<void>): Promise<void> {
  mkdirSync(dirname(FOLDERS.tools), { recursive: true });
  const folder = mkdtempSync(join(dirname(FOLDERS.tools), "image-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
