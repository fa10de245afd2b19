import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Who listens on a TCP port of this machine, for a message to a person: `node server.js (process 4711, in /srv/app)`.
 * Undefined when it cannot be told: another user's process, seen by an ordinary user.
 */
export function portOwner(port: number): string | undefined {
  try {
    const pid =
      process.platform === "linux"
        ? listeningPid(port)
        : Number(
            execFileSync("lsof", ["-nP", "-t", `-iTCP:${port}`, "-sTCP:LISTEN"], { encoding: "utf8" }).split("\n")[0],
          );
    return pid ? describe(pid) : undefined;
  } catch {
    return undefined;
  }
}

function listeningPid(port: number): number | undefined {
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningInodes(table, port)));
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const link of openFiles(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode !== undefined && inodes.has(inode)) return Number(pid);
    }
  }
  return undefined;
}

/** Columns of the kernel's table: 1 local address:port in hex, 3 state (0A = listening), 9 inode. */
function listeningInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return readText(table)
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      return columns[1]?.endsWith(`:${hexPort}`) && columns[3] === "0A" && columns[9] ? [columns[9]] : [];
    });
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // ended meanwhile, or another user's
  }
}

function describe(pid: number): string {
  const command =
    process.platform === "linux"
      ? readText(`/proc/${pid}/cmdline`).split("\0").join(" ").trim()
      : execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).trim();
  const folder = process.platform === "linux" ? `, in ${readlinkSync(`/proc/${pid}/cwd`)}` : "";
  return `${command.slice(0, 120)} (process ${pid}${folder})`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
