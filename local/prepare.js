// Plain JavaScript: runs on Node 18 and later, before the project's own Node is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { patchInstalledAddon } from "./patch-uws.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Makes a checkout ready to run: installs the packages of the lockfile, makes the addon loadable, generates code.
 * What is done already is not done again.
 *
 * @returns {string} the Node program to run everything with
 * @throws with the remedy
 */
export function prepare() {
  if (!isInstalled()) {
    console.error("installing packages (npm ci): a minute or so the first time");
    // Install scripts of packages are not needed by any part of this project.
    run(
      "npm",
      ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
      "npm could not install the packages: see above; a proxy or the registry may be out of reach",
    );
  }
  const node = projectNode();
  if (patchInstalledAddon(ROOT) === "patched") console.error("uWebSockets.js: patched for this machine's glibc");
  const stamp = generatorInputs();
  const stampFile = join(ROOT, ".local", "generated.sha256");
  const current = existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (
    !current ||
    !existsSync(join(ROOT, "ocpp-schemas", "generated")) ||
    !existsSync(join(ROOT, "proto", "generated"))
  ) {
    console.error("generating OCPP validators and gRPC code");
    run("npm", ["run", "-s", "generate"], "the code could not be generated: see above");
    mkdirSync(dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, stamp);
  }
  return node;
}

/** Whether every package of the lockfile is there in its version. Optional ones may be for other machines. */
function isInstalled() {
  const installedFile = join(ROOT, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return false;
  /** @typedef {{ packages: Record<string, { version?: string, link?: boolean, optional?: boolean, devOptional?: boolean, peer?: boolean }> }} Lock */
  const wanted = /** @type {Lock} */ (JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")));
  const installed = /** @type {Lock} */ (JSON.parse(readFileSync(installedFile, "utf8")));
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (!path.includes("node_modules/")) return true;
    const found = installed.packages[path];
    return found ? found.version === entry.version : Boolean(entry.optional || entry.devOptional);
  });
}

/**
 * The project's Node 24: out of the packages on Linux, the machine's elsewhere.
 *
 * @returns {string}
 * @throws with the remedy when there is none
 */
export function projectNode() {
  const packaged = join(ROOT, "node_modules", ".bin", "node");
  if (existsSync(packaged)) return packaged;
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  throw new Error(
    `this is Node ${process.versions.node}, and there is no packaged Node for ${process.platform} ${process.arch}: install Node 24 (https://nodejs.org) and start again`,
  );
}

/** A digest of all that generated code is made from. */
function generatorInputs() {
  const hash = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json")));
  for (const folder of ["proto", "ocpp-schemas"]) {
    const names = /** @type {string[]} */ (readdirSync(join(ROOT, folder), { recursive: true }));
    for (const name of names.sort()) {
      if (
        /(^|[\\/])(node_modules|dist|generated)([\\/]|$)|\.test\.ts$/.test(name) ||
        !/\.(ts|proto|yaml|json)$/.test(name)
      )
        continue;
      hash.update(name).update(readFileSync(join(ROOT, folder, name)));
    }
  }
  return hash.digest("hex");
}

/** @param {string} command @param {string[]} args @param {string} remedy */
function run(command, args, remedy) {
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error || status !== 0) throw new Error(error ? `${command}: ${error.message}` : remedy);
}

if (realpathSync(process.argv[1] ?? ".") === fileURLToPath(import.meta.url)) {
  try {
    prepare();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
