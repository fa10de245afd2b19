import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = join(dirname(dirname(fileURLToPath(import.meta.url))), "main.ts");

export interface LogLine {
  msg: string;
  [fact: string]: unknown;
}

export interface GatewayProcess {
  /** ws://127.0.0.1:port */
  url: string;
  port: number;
  /** wss://localhost:port of the TLS and the mutual TLS listener; "" without one. */
  tlsUrl: string;
  mtlsUrl: string;
  internalUrl: string;
  nodeId: string;
  log: LogLine[];
  /** What is no line of the log: of the runtime or a library. */
  stderr: string[];
  /** The most physical memory that it ever had. Linux alone tells. */
  peakMemoryBytes(): number;
  /** Files and sockets that it has open. Linux alone tells. */
  openFiles(): number;
  signal(signal: NodeJS.Signals): void;
  /** Resolves to the exit code; null when a signal ended it. */
  ended: Promise<number | null>;
}

/** Starts gateway/main.ts as its own process and waits for its ready line. Rejects with its output when it ends before. */
export async function startGatewayProcess(env: Record<string, string>): Promise<GatewayProcess> {
  const child = spawn(process.execPath, ["--conditions=source", MAIN], {
    env: { PATH: process.env["PATH"] ?? "", GATEWAY_HOST: "127.0.0.1", GATEWAY_PORT: "0", INTERNAL_PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const log: LogLine[] = [];
  const output: string[] = [];
  const stderr: string[] = [];
  const ready = Promise.withResolvers<LogLine>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    output.push(line);
    stderr.push(line);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    output.push(line);
    if (!line.startsWith("{")) return;
    const parsed = JSON.parse(line) as LogLine;
    log.push(parsed);
    if (parsed.msg === "ready") ready.resolve(parsed);
  });
  void ended.then((code) =>
    ready.reject(new Error(`gateway ended with ${code} before it was ready:\n${output.join("\n")}`)),
  );
  const { port, tlsPort, mtlsPort, internalPort, node } = (await ready.promise) as LogLine & {
    port: number;
    tlsPort?: number;
    mtlsPort?: number;
    internalPort: number;
    node: string;
  };
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    tlsUrl: tlsPort === undefined ? "" : `wss://localhost:${tlsPort}`,
    mtlsUrl: mtlsPort === undefined ? "" : `wss://localhost:${mtlsPort}`,
    internalUrl: `http://127.0.0.1:${internalPort}`,
    nodeId: node,
    log,
    stderr,
    peakMemoryBytes() {
      const [, kiB] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      if (kiB === undefined) throw new Error("the kernel does not tell the peak of a process's memory");
      return Number(kiB) * 1_024;
    },
    openFiles: () => readdirSync(`/proc/${child.pid}/fd`).length,
    signal: (signal) => void child.kill(signal),
    ended,
  };
}
