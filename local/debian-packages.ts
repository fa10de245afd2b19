import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Debian, Ubuntu and what is made from them. */
export function isDebian(): boolean {
  return existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-deb");
}

/**
 * Downloads packages and those of their dependencies that this machine lacks, and unpacks them into a folder. Works
 * for any user and leaves the system alone: apt's lists, cache and locks are in a folder of ours, no package script
 * runs, no service starts.
 *
 * @param into replaced whole; what was broken off before is not mistaken for it
 * @throws with apt's last line
 */
export async function extractDebianPackages(names: string[], into: string): Promise<void> {
  mkdirSync(dirname(into), { recursive: true });
  const scratch = mkdtempSync(join(dirname(into), "apt-"));
  try {
    const apt = privateApt(scratch);
    await apt("update");
    // What apt would install beside the named ones; packages that the system has are not listed.
    const plan = await apt("install", "--simulate", "--no-install-recommends", ...names);
    const missing = [...plan.matchAll(/^Inst (\S+)/gm)].flatMap((match) => match[1] ?? []);
    await apt("download", ...new Set([...names, ...missing]));

    const unpacked = join(scratch, "unpacked");
    mkdirSync(unpacked);
    for (const file of readdirSync(scratch).filter((name) => name.endsWith(".deb"))) {
      await run("dpkg-deb", ["-x", join(scratch, file), unpacked]);
    }
    rmSync(into, { recursive: true, force: true });
    renameSync(unpacked, into);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function privateApt(scratch: string): (...args: string[]) => Promise<string> {
  const state = join(scratch, "state");
  const cache = join(scratch, "cache");
  mkdirSync(join(state, "lists", "partial"), { recursive: true });
  mkdirSync(join(cache, "archives", "partial"), { recursive: true });
  const options = [
    `Dir::State=${state}`,
    `Dir::Cache=${cache}`,
    "Dir::State::status=/var/lib/dpkg/status", // what is installed here
    "APT::Sandbox::User=", // as root apt downloads as `_apt`, who may not reach our folder
    "APT::Update::Post-Invoke=",
    "APT::Update::Post-Invoke-Success=",
    "Debug::NoLocking=true",
  ].flatMap((option) => ["-o", option]);
  return async (...args) => {
    try {
      const { stdout } = await run("apt-get", ["-qq", ...options, ...args], {
        cwd: scratch,
        env: { ...process.env, LC_ALL: "C" },
        maxBuffer: 64 << 20,
      });
      return stdout;
    } catch (cause) {
      const said = String((cause as { stderr?: string }).stderr ?? cause)
        .trim()
        .split("\n")
        .at(-1);
      throw new Error(`apt-get ${args[0]}: ${said}`, { cause });
    }
  };
}
