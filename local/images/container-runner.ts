import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Runner } from "../chart/pretend-cluster.ts";
import type { UnpackedImage } from "./unpacked-image.ts";

/**
 * Runs containers out of images with runc, as a node of a cluster does with the chart's securityContext: another user than root,
 * a read-only root file system, no capabilities, no new privileges, `/tmp` and the Secrets alone mounted into it. The network is
 * this machine's.
 *
 * @param imageOf the image by the name that the chart gives it
 * @param files further files that are mounted into it: path there → path here
 */
export function containerRunner(imageOf: (name: string) => UnpackedImage, files: Record<string, string> = {}): Runner {
  let count = 0;
  return ({ logFile, secretsFolder }, { image, args, env, hosts }) => {
    const { rootFolder, config } = imageOf(image);
    const bundle = mkdtempSync(join(tmpdir(), "dynamo-csms-bundle-"));
    const id = `dynamo-csms-${process.pid}-${(count += 1)}`;
    const hostsFile = join(bundle, "hosts");
    const lines = Object.entries({ localhost: "127.0.0.1", ...hosts }).map(([name, address]) => `${address} ${name}`);
    writeFileSync(hostsFile, `${lines.join("\n")}\n`);
    writeFileSync(
      join(bundle, "config.json"),
      JSON.stringify(
        specification({
          rootFolder,
          args: [...config.entrypoint, ...args],
          env: { ...config.env, ...env },
          user: config.user,
          cwd: config.workingFolder,
          files: { "/run/secrets/dynamo": secretsFolder, "/etc/hosts": hostsFile, ...files },
        }),
      ),
    );
    const output = openSync(logFile, "a", 0o600);
    const child = spawn("runc", ["run", "--bundle", bundle, id], { stdio: ["ignore", output, output] });
    const exit = new Promise<number | null>((resolve) =>
      child.once("exit", (code) => {
        rmSync(bundle, { recursive: true, force: true });
        resolve(code);
      }),
    );
    return {
      exit,
      kill: (signal) => void spawnSync("runc", ["kill", id, signal]),
      hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    };
  };
}

interface Wanted {
  rootFolder: string;
  args: string[];
  env: Record<string, string>;
  user: { uid: number; gid: number };
  cwd: string;
  /** Path in the container → path here, read-only. */
  files: Record<string, string>;
}

/** After the OCI runtime specification, 1.0. */
function specification({ rootFolder, args, env, user, cwd, files }: Wanted): unknown {
  const temporary = (destination: string, options: string[] = []) => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", ...options],
  });
  return {
    ociVersion: "1.0.2",
    root: { path: rootFolder, readonly: true },
    process: {
      user,
      args,
      env: Object.entries({ PATH: "/usr/local/bin:/usr/bin:/bin", ...env }).map(([name, value]) => `${name}=${value}`),
      cwd,
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      temporary("/tmp", ["mode=1777", "size=64m"]),
      temporary("/run", ["mode=755", "size=1m"]),
      ...Object.entries(files).map(([destination, source]) => ({
        destination,
        type: "bind",
        source,
        options: ["bind", "ro"],
      })),
    ],
    linux: { namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })) },
  };
}
