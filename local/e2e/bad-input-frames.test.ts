import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badPayloads, NO_ACTIONS, NO_FRAMES, type BadFrame } from "./bad-frames.ts";
import { startCluster, type Cluster, type ProgramName } from "./cluster.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { connectRaw, type RawStation, type Version } from "./raw-station.ts";
import { rest } from "./rest-client.ts";

const VERSIONS: Version[] = ["1.6", "2.0.1", "2.1"];

let cluster: Cluster;
let evidence: Evidence;
let stations: Record<Version, { identity: string; password: string }[]>;
/** On the same node as whoever misbehaves, all the time. */
let neighbour: RawStation;

beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  const made = [];
  for (const version of VERSIONS) made.push([version, await cluster.generateStations(2, version)] as const);
  stations = Object.fromEntries(made) as typeof stations;
  neighbour = await connectRaw(cluster.ocppUrls[0], stations["1.6"][1]!, "1.6");
});
afterAll(async () => {
  neighbour?.socket.terminate();
  await evidence?.close();
  await cluster?.close();
});

/** What came back, written as the tables write it. */
function read(frames: string[]): (string | null)[] {
  const said = frames.flatMap((frame) => {
    const [type, id, code] = JSON.parse(frame) as [number, string, string];
    return String(id).startsWith("heartbeat-") ? [] : [type === 4 ? `${id}:${code}` : String(id)];
  });
  return said.length === 0 ? [null] : said;
}

async function complaints(version: Version, { frame, binary = false, outcome }: BadFrame): Promise<string[]> {
  const station = await connectRaw(cluster.ocppUrls[0], stations[version][0]!, version);
  station.socket.send(frame, { binary });
  const expected = outcome[version];
  const alive = await station.heartbeat();
  const found = (await neighbour.heartbeat()) === undefined ? ["the neighbour was disconnected"] : [];
  if (alive === undefined) {
    const code = await station.closed;
    return [expected].flat().includes(code)
      ? found
      : [...found, `closed with ${code}, not ${JSON.stringify(expected)}`];
  }
  const said = read(station.frames);
  if (said.length !== 1 || said[0] !== expected)
    found.push(`${JSON.stringify(said).slice(0, 300)}, not ${JSON.stringify(expected)}`);
  const errors = station.frames.map((text) => JSON.parse(text) as unknown[]).filter(([type]) => type === 4);
  for (const [, , , description, details] of errors) {
    if (typeof description !== "string" || description === "" || description.length > 255)
      found.push(`described as ${JSON.stringify(description)}`);
    if (/\bat \w+ \(|node_modules|\.ts:|schema\b.*#/.test(String(description)))
      found.push(`innards: ${String(description)}`);
    if (JSON.stringify(details) !== "{}") found.push(`details ${JSON.stringify(details)}`);
  }
  station.socket.close();
  await station.closed;
  return found;
}

describe.each(VERSIONS)("%s", (version) => {
  const sets = {
    "what is no frame": NO_FRAMES,
    "what is no action": NO_ACTIONS,
    "payloads against the schema, and odd ones": badPayloads(version),
  };
  test.each(Object.entries(sets))(
    "[C4] [C5] [C7] [C18] [C19] [C20] %s: each has its answer, its silence or its close code, and nobody else notices",
    async (_, frames) => {
      const wrong: string[] = [];
      for (const bad of frames)
        wrong.push(...(await complaints(version, bad)).map((complaint) => `${bad.what}: ${complaint}`));
      expect(wrong).toEqual([]);
    },
  );
});

test("CALLs after the nonsense are stored and shown, and no process has fallen", async () => {
  await evidence.intakeIdle();
  for (const version of VERSIONS) {
    const messages = `/api/v1/charge-points/${stations[version][0]?.identity}/messages?limit=200`;
    const { status, body } = await rest("GET", cluster.apiUrl + messages, cluster.apiKey);
    expect(status).toBe(200);
    const actions = (body["messages"] as { action: string }[]).map(({ action }) => action);
    expect(actions).toContain("MeterValues");
    expect(actions.filter((action) => action === "StatusNotification").length).toBeGreaterThanOrEqual(4);
  }
  const dead = await evidence.sql<{ n: number }>("select count(*)::int as n from dead_letters");
  expect(dead).toEqual([{ n: 0 }]);
  const programs: ProgramName[] = ["gateway1", "gateway2", "api", "decisions", "intake", "jobs"];
  for (const name of programs) expect(cluster.log(name).split('"msg":"ready"')).toHaveLength(2);
});
