import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
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
  "ocpp-ws-cli finds nothing wrong with a gateway node, OCPP %s",
  async (version) => {
    const [station] = await cluster.generateStations(1, version);
    const { testResults } = runTool(version, station as { identity: string; password: string });
    expect(testResults.filter((result) => !result.passed)).toEqual([]);
    expect(testResults).toHaveLength(21);
  },
);
