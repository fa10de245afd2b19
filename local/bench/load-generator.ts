import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { FOLDERS } from "../folders.ts";
import { jsonLines } from "./pinned-process.ts";

const SOURCES = join(FOLDERS.root, "local", "bench", "loadgen");
/** Some seconds, and the standard library before that where nothing was ever built. */
const LONGEST_BUILD_MS = 180_000;

/** Latencies in µs. */
export interface Latencies {
  p50Us: number;
  p99Us: number;
  p999Us: number;
  maxUs: number;
}

/** What one phase came to (loadgen/calls.go). CPU in seconds by group of processes. */
export interface PhaseFigures extends Latencies {
  phase: string;
  seconds: number;
  messages: number;
  cpuSeconds: Record<string, number>;
  /** For how long they were ready to run and others had the CPU. */
  waitedSeconds: Record<string, number>;
  /** Of this and the next: while it warmed up, too. */
  wrong: number;
  lost: number;
  longestSilenceMs: number;
  held: number;
  unanswered: number;
}

/** What connecting came to (loadgen/hold.go); latencies are the handshakes'. */
export interface HoldFigures extends Latencies {
  connections: number;
  seconds: number;
  cpuSeconds: Record<string, number>;
}

/** A server that takes connections: where, and how they say who they are. */
export interface Target {
  ports: readonly number[];
  path: string;
  /** A file with a line `identity,password` for each connection, or `identity,password,transaction` (loadgen/live.go); absent: names are made up, without a password. */
  credentials?: string;
}

export interface ConnectOptions extends Target {
  connections: number;
  /** Lines of the credentials to leave out: other stations than somebody else's. */
  first?: number;
  sources?: number;
  subprotocol?: string;
  /** Group → processes whose CPU time is told. */
  watch: Record<string, readonly number[]>;
}

/** The programs of the Go sources, built once for each state that they have. Throws with the remedy without Go. */
export async function buildLoadGenerator(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of readdirSync(SOURCES).sort()) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const folder = join(FOLDERS.tools, "loadgen");
  const program = join(folder, hash.digest("hex").slice(0, 16));
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const building = `${program}.${process.pid}`;
  try {
    // Without the stamp of the checkout: Git refuses to tell of one that another user owns, and the build would fail.
    await promisify(execFile)("go", ["build", "-buildvcs=false", "-o", building, "."], {
      cwd: SOURCES,
      timeout: LONGEST_BUILD_MS,
      // The standard library is all it needs: nothing is fetched.
      env: { ...process.env, CGO_ENABLED: "0", GOPROXY: "off", GOTOOLCHAIN: "local", GOWORK: "off" },
    });
  } catch (cause) {
    throw new Error(`the load generator could not be built: want Go 1.22 or newer on PATH (${String(cause)})`, {
      cause,
    });
  }
  renameSync(building, program);
  return program;
}

/** A load generator on its CPUs. */
export function createLoadGenerator(program: string, cores: string) {
  return {
    /** Connects, plays the phases one after the other, and gives the figures of each. Throws with what went wrong. */
    async calls(
      options: ConnectOptions & {
        phases: readonly string[];
        warmMs: number;
        measureMs: number;
        /** Messages a second; absent: each connection sends as soon as it is answered. */
        rate?: number;
        /** False for a server that answers everything with the same id. */
        check?: boolean;
        /** How many readings each station has told before (loadgen/live.go). */
        told?: number;
        /** Called when all are connected; the first message goes out so much later. */
        rest?: { ms: number; connected(): void };
      },
    ): Promise<PhaseFigures[]> {
      const { phases, warmMs, measureMs, rate = 0, check = true, told = 0, rest } = options;
      const run = start(program, cores, [
        ...["-mode", "calls", ...connectArguments(options), "-phases", phases.join(",")],
        ...["-warm", `${warmMs}ms`, "-measure", `${measureMs}ms`, "-rate", String(rate), `-check=${check}`],
        ...["-told", String(told), "-rest", `${rest?.ms ?? 0}ms`],
      ]);
      if (rest !== undefined) void run.firstLine.then(() => rest.connected());
      return (await run.output).filter((line) => "phase" in line) as unknown as PhaseFigures[];
    },

    /** Connects and holds until `release`. What the handshakes cost is read `settleMs` after the last. */
    async hold(
      options: ConnectOptions & { tls?: boolean; settleMs: number; inFlight?: number },
    ): Promise<{ figures: HoldFigures; release(): Promise<void> }> {
      const { tls = false, settleMs, inFlight = 256 } = options;
      const run = start(program, cores, [
        ...["-mode", "hold", ...connectArguments(options), `-tls=${tls}`],
        ...["-settle", `${settleMs}ms`, "-in-flight", String(inFlight)],
      ]);
      const figures = (await Promise.race([run.firstLine, run.output.then(([line]) => line)])) as unknown;
      return {
        figures: figures as HoldFigures,
        async release() {
          run.endInput();
          await run.output;
        },
      };
    },

    /** The round trip of single XADDs of so many bytes to a Redis, sent at this pace from these CPUs. */
    async roundTrip(options: {
      port: number;
      bytes: number;
      rate: number;
      measureMs: number;
      from: string;
    }): Promise<Latencies> {
      const { port, bytes, rate, measureMs, from } = options;
      const run = start(program, from, [
        ...["-mode", "xadd", "-targets", `127.0.0.1:${port}`, "-bytes", String(bytes)],
        ...["-rate", String(rate), "-warm", "500ms", "-measure", `${measureMs}ms`],
      ]);
      return (await run.output)[0] as unknown as Latencies;
    },
  };
}

export type LoadGenerator = ReturnType<typeof createLoadGenerator>;

function connectArguments(options: ConnectOptions): string[] {
  const { ports, path, credentials, connections, first = 0, sources = 8, subprotocol = "ocpp1.6", watch } = options;
  return [
    ...["-targets", ports.map((port) => `127.0.0.1:${port}`).join(","), "-path", path, "-subprotocol", subprotocol],
    ...["-connections", String(connections), "-first", String(first), "-sources", String(sources)],
    ...(credentials === undefined ? [] : ["-credentials", credentials]),
    ...Object.entries(watch).flatMap(([name, pids]) => ["-watch", `${name}=${pids.join(",")}`]),
  ];
}

function start(program: string, cores: string, args: readonly string[]) {
  const child = spawn("taskset", ["-c", cores, program, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    // Its one thread is busy: to be asked to make room for others would only cost.
    env: { ...process.env, GODEBUG: "asyncpreemptoff=1" },
  });
  const firstLine = Promise.withResolvers<Record<string, unknown> | undefined>();
  let said = "";
  let complaints = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += String(chunk);
    const [line] = jsonLines(said.slice(0, said.lastIndexOf("\n") + 1));
    if (line !== undefined) firstLine.resolve(line);
  });
  child.stderr.on("data", (chunk: Buffer) => (complaints += String(chunk)));
  // It may be gone before we tell it to go.
  child.stdin.on("error", () => {});
  const output = new Promise<Record<string, unknown>[]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(jsonLines(said));
      else reject(new Error(`the load generator: ${complaints.trim() || `ended with ${code}`}`));
    });
  });
  return { firstLine: firstLine.promise, output, endInput: () => child.stdin.end() };
}
