// Plain JavaScript: runs on Node 18 and later, before the project's own Node is installed.
// uWebSockets.js comes as a binary built against glibc 2.38. On Debian 12 (2.36) it does not load because of three
// imports, whose plain variants do the same for what uWebSockets.js uses them for; everything else it needs is in 2.36.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { lowerImportVersion } from "./elf-versions.js";

/** Node 24's `process.versions.modules`: the one binary that this project loads. */
const NODE_ABI = "137";

/** @typedef {{ baseVersion: string, original: string, patched: string }} Pin sha256 of the binary before and after */
/** @type {Record<string, Pin>} uWebSockets.js 20.57.0, by processor */
export const PINS = {
  x64: {
    baseVersion: "GLIBC_2.2.5",
    original: "98128405dba2fb608448e921a979530f70c946a2cc9889c15f2fa70c2d00ab05",
    patched: "25b38a1070908df148392cc1ed4a228ea51685a187fcae9e8b4c18c07f6ddbbe",
  },
  arm64: {
    baseVersion: "GLIBC_2.17",
    original: "88618b30ddf6b2b62310db89f40a701616676352aac5e0f6184dd8ef876199ce",
    patched: "f5ef061eab9a46b1d765dc6330866dcce083b09190663a8c971f8989ad325750",
  },
};

/**
 * Makes the addon's file loadable under glibc 2.36 and 2.37. Running it again changes nothing; the new file replaces
 * the old one in one step, so a process that starts meanwhile loads either.
 *
 * @param {string} file the addon
 * @param {Pin} pin
 * @returns {"patched" | "was-patched"}
 * @throws when the file is neither the pinned original nor the pinned result
 */
export function patchAddon(file, pin) {
  const bytes = readFileSync(file);
  const found = sha256(bytes);
  if (found === pin.patched) return "was-patched";
  if (found !== pin.original) throw new Error(`${file} has sha256 ${found}, expected ${pin.original}: not touched`);
  const changed = lowerImportVersion(bytes, {
    library: "libc.so.6",
    from: "GLIBC_2.38",
    to: pin.baseVersion,
    prefix: "__isoc23_",
  });
  if (sha256(changed) !== pin.patched)
    throw new Error(`patching ${file} gave sha256 ${sha256(changed)}, expected ${pin.patched}: not touched`);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, changed, { mode: statSync(file).mode });
    renameSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  return "patched";
}

/**
 * Patches the installed addon when this machine's glibc is older than the addon wants.
 *
 * @param {string} root the checkout
 * @returns {"patched" | "was-patched" | "not-needed"}
 * @throws with the remedy when this machine cannot run the addon at all
 */
export function patchInstalledAddon(root) {
  if (process.platform !== "linux") return "not-needed";
  const glibc = glibcVersion();
  if (glibc === undefined)
    throw new Error("this machine has no glibc (Alpine?): uWebSockets.js needs glibc 2.36 or newer");
  if (isAtLeast(glibc, 38)) return "not-needed";
  if (!isAtLeast(glibc, 36))
    throw new Error(
      `this machine has glibc ${glibc}: uWebSockets.js needs 2.36 or newer (Debian 12, Ubuntu 24.04); use a newer system or compose.yaml`,
    );
  const pin = PINS[process.arch];
  const file = join(root, "node_modules", "uWebSockets.js", `uws_linux_${process.arch}_${NODE_ABI}.node`);
  if (!pin) throw new Error(`uWebSockets.js has no binary for ${process.arch}`);
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm ci`);
  return patchAddon(file, pin);
}

/** @returns {string | undefined} such as "2.36" */
function glibcVersion() {
  // The report resolves the addresses of open sockets otherwise, which may wait for DNS. Node before 20.13 ignores it.
  Object.assign(process.report, { excludeNetwork: true });
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    /** @type {unknown} */ (process.report.getReport())
  );
  return report.header.glibcVersionRuntime;
}

/** @param {string} version @param {number} minor of glibc 2 */
function isAtLeast(version, minor) {
  const [major = 0, found = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && found >= minor);
}

/** @param {Buffer} bytes */
function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

if (realpathSync(process.argv[1] ?? ".") === fileURLToPath(import.meta.url)) {
  const outcome = patchInstalledAddon(dirname(dirname(fileURLToPath(import.meta.url))));
  if (outcome === "patched") console.log("uWebSockets.js: patched for this machine's glibc");
}
