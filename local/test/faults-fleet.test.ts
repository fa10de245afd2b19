import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../e2e/cluster.ts";
import { openEvidence, type Evidence } from "../e2e/ledger-check.ts";
import { rest } from "../e2e/rest-client.ts";
import type { Fleet } from "../faults/contract.ts";
import { startFleet } from "../faults/fleet/start-fleet.ts";
import { judgeCalls, prepareJudge } from "../faults/judge/judge-calls.ts";
import { LedgerReader } from "../faults/judge/read-ledgers.ts";
import { Segments } from "../faults/judge/segment.ts";

const TAG = "FLEET-TAG";
const MIX = { "1.6": 180, "2.0.1": 90, "2.1": 30 } as const;
const MESSAGES_PER_SECOND = 300;
const MINUTE_MS = 60_000;

let cluster: Cluster;
let evidence: Evidence;
let fleet: Fleet;
let folder: string;
const reader = new LedgerReader();

beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  folder = mkdtempSync(join(tmpdir(), "dynamo-csms-fleet-"));
  const token = { id_token: TAG, max_active_transactions: null };
  expect((await rest("POST", `${cluster.apiUrl}/api/v1/id-tokens`, cluster.apiKey, token)).status).toBe(201);
  const stations = [];
  for (const version of ["1.6", "2.0.1", "2.1"] as const)
    for (const made of await cluster.generateStations(MIX[version], version)) stations.push({ ...made, version });
  fleet = await startFleet({
    stations,
    origins: cluster.ocppUrls.map((url, at) => ({ name: `gw-${at + 1}`, url: url.replace("localhost", "127.0.0.1") })),
    processes: 2,
    ledgerFolder: folder,
    idTag: TAG,
  });
  reader.add(fleet.ledgers);
}, 3 * MINUTE_MS);
afterAll(async () => {
  await fleet?.close();
  await evidence?.close();
  await cluster?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test(
  "what 300 stations were told is stored, over lost connections, a killed gateway and a restart",
  async () => {
    const since = new Date();
    await prepareJudge(evidence);
    await fleet.connect(2_000);
    expect(await fleet.settled(MINUTE_MS)).toBe(true);
    await fleet.pace(MESSAGES_PER_SECOND);
    await pause(8_000);
    await fleet.dropAll(500);
    await pause(3_000);
    await cluster.kill("gateway1");
    await pause(4_000);
    await cluster.start("gateway1");
    await pause(3_000);
    await fleet.pace(0);
    expect(await fleet.settled(2 * MINUTE_MS)).toBe(true);
    await fleet.flush();
    await evidence.intakeIdle();

    const stats = await fleet.stats();
    expect(stats).toMatchObject({ stations: 300, connected: 300, errors: 0, waiting: 0, closes: { dropped: 300 } });
    const lines = [...reader.lines()];
    expect(lines.filter(([kind]) => kind === "failed" || kind === "stray")).toEqual([]);
    expect(lines.filter(([kind]) => kind === "answered")).toHaveLength(stats.acknowledged);
    expect(lines.filter(([kind]) => kind === "sent")).toHaveLength(stats.sent);
    const segment = new Segments().take(lines);
    expect(segment.answered.filter(({ facts }) => facts["misfit"])).toEqual([]);
    const { acknowledged, ...verdict } = await judgeCalls(evidence, segment, since);
    expect(verdict).toEqual({ lost: 0, duplicated: 0, disordered: 0, wrongReplies: 0, examples: [] });
    expect(acknowledged).toBe(stats.acknowledged);
  },
  5 * MINUTE_MS,
);
