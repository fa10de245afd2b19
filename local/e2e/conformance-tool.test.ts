import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { startFuzzWitness, type WitnessedStation } from "./fuzz-witness.ts";
import { metricsOf, totalOf, type ReadMetrics } from "./gateway-metrics.ts";

/** How long the fuzzer runs; before a release ten minutes and more. */
const FUZZ_MINUTES = Number(process.env["FUZZ_MINUTES"] ?? 0.75);
/** What the gateway may hold more at its lowest, in the second half of the fuzzing, than at its lowest in a first taste of it. */
const MAX_HELD_GROWTH_BYTES = 24 * 1024 * 1024;
/** What its process may take more: the heap is given room by the collector, and gives it back when it likes. */
const MAX_RESIDENT_GROWTH_BYTES = 128 * 1024 * 1024;
const SAMPLE_MS = 1_000;
const TASTE_SECONDS = 15;
const WORKERS = 6;

let cluster: Cluster;
beforeAll(async () => {
  // The fuzzer's stations are let go again and again, and are not to be slowed for it.
  cluster = await startCluster({ FLAPPING_CONNECTIONS: "0" });
});
afterAll(async () => cluster?.close());

interface Report {
  testResults: { name: string; passed: boolean; issue?: string }[];
}

/** The tool wants a terminal: `script` gives it one. */
function runTool(version: "1.6" | "2.0.1" | "2.1", station: { identity: string; password: string }): Report {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-conformance-"));
  try {
    const origin = (cluster.ocppUrls[0] as string).replace("ws://", `ws://${station.identity}:${station.password}@`);
    const tool = join(FOLDERS.root, "node_modules/.bin/ocpp");
    const command = `'${tool}' test -e '${origin}/ocpp/${version}' -i ${station.identity} -p ocpp${version} --suite all --report json --report-dir '${folder}'`;
    const { error, stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
      encoding: "utf8",
      timeout: 240_000,
    });
    if (error) throw error;
    const file = existsSync(folder) ? readdirSync(folder)[0] : undefined;
    if (file === undefined) throw new Error(`the tool left no report:\n${stdout}`);
    return JSON.parse(readFileSync(join(folder, file), "utf8")) as Report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[F1] [F8] ocpp-ws-cli finds nothing wrong with a gateway node, OCPP %s",
  async (version) => {
    const [station] = await cluster.generateStations(1, version);
    const { testResults } = runTool(version, station as { identity: string; password: string });
    expect(testResults.filter((result) => !result.passed)).toEqual([]);
    expect(testResults).toHaveLength(21);
  },
);

/** Runs the fuzzer for so long. It asks nothing when it has all its options. */
async function runFuzzer(url: string, seconds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-fuzz-"));
  const tool = join(FOLDERS.root, "node_modules/.bin/ocpp");
  const args = ["fuzz", "-e", url, "-w", String(WORKERS), "--flood", "--report", "json", "--report-dir", folder];
  const fuzzer = spawn(tool, args, { stdio: "ignore" });
  try {
    const exited = once(fuzzer, "exit");
    await Promise.race([new Promise((resolve) => setTimeout(resolve, seconds * 1_000)), exited]);
    if (fuzzer.exitCode !== null) throw new Error(`the fuzzer ended by itself with ${fuzzer.exitCode}`);
  } finally {
    fuzzer.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Memory {
  /** What is in use: the heap, and what lies outside it for objects in it. */
  held: number;
  resident: number;
}

/** The gateway's memory, second by second, while something runs. */
async function sampled(readMetrics: ReadMetrics, run: () => Promise<void>): Promise<Memory[]> {
  const samples: Memory[] = [];
  let over = false;
  const running = run().finally(() => (over = true));
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    const metrics = await readMetrics();
    const held = totalOf(metrics, "nodejs_heap_size_used_bytes") + totalOf(metrics, "nodejs_external_memory_bytes");
    samples.push({ held, resident: totalOf(metrics, "process_resident_memory_bytes") });
  }
  await running;
  return samples;
}

const lowest = (samples: Memory[]): Memory => ({
  held: Math.min(...samples.map(({ held }) => held)),
  resident: Math.min(...samples.map(({ resident }) => resident)),
});

test(
  "[C25] [C6] [F13] ocpp-ws-cli's fuzzer in all three versions: no crash, no CALL without an answer, flat memory",
  { timeout: 300_000 + FUZZ_MINUTES * 60_000 },
  async () => {
    const readMetrics = metricsOf(cluster, "gateway1");
    const stations: WitnessedStation[] = [];
    for (const version of ["1.6", "2.0.1", "2.1"] as const)
      for (const station of await cluster.generateStations(WORKERS / 3, version))
        stations.push({ ...station, version });
    const witness = await startFuzzWitness(cluster.ocppUrls[0], stations);
    try {
      const taste = await sampled(readMetrics, () => runFuzzer(witness.url, TASTE_SECONDS));
      expect(await witness.lastAnswers()).toEqual([]);
      const all = await sampled(readMetrics, () => runFuzzer(witness.url, FUZZ_MINUTES * 60));
      expect(await witness.lastAnswers()).toEqual([]);
      const after = await readMetrics();
      const { calls, answered, cut, closes, complaints } = witness.testimony;
      const [before, end] = [lowest(taste), lowest(all.slice(all.length / 2))];
      const mebibytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`;
      console.log(
        `${calls} CALLs, ${answered} answered, ${cut} cut off by a close (${JSON.stringify(closes)}); the gateway holds ${mebibytes(end.held)} after ${mebibytes(before.held)}, resident ${mebibytes(end.resident)} after ${mebibytes(before.resident)}`,
      );
      expect(complaints).toEqual([]);
      expect(calls).toBeGreaterThan(1_000);
      expect(answered).toBeGreaterThan(calls / 2);
      // Each CALL was answered, or its connection was closed by a rule: too much nonsense, or not waiting for answers.
      expect(answered + cut).toBe(calls);
      expect(Object.keys(closes).filter((code) => !["1008", "HTTP 429", "HTTP 503"].includes(code))).toEqual([]);
      expect(end.held - before.held).toBeLessThan(MAX_HELD_GROWTH_BYTES);
      expect(end.resident - before.resident).toBeLessThan(MAX_RESIDENT_GROWTH_BYTES);
      expect(totalOf(after, "ocpp_faults_total")).toBe(0);
      expect(cluster.log("gateway1").includes('"level":"fatal"')).toBe(false);
    } finally {
      await witness.close();
    }
  },
);
