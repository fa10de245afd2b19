import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { LedgerStation } from "./ledger-station.ts";
import { rest } from "./rest-client.ts";
import { plainAnswer } from "./station-answers.ts";

const STATIONS = 6;
const FINAL = ["accepted", "rejected", "error", "timeout", "not_connected", "unknown"];

let cluster: Cluster;
let evidence: Evidence;
let stations: { identity: string; station: LedgerStation }[];

beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  stations = (await cluster.generateStations(STATIONS, "1.6")).map((one, index) => {
    const station = new LedgerStation({ origins: cluster.ocppUrls, ...one, version: "1.6", answer: plainAnswer });
    station.connect(index);
    return { identity: one.identity, station };
  });
  await connectedAgain();
});

afterAll(async () => {
  for (const { station } of stations ?? []) station.stop();
  await evidence?.close();
  await cluster?.close();
});

const connectedAgain = () =>
  eventually("every station is connected", () => stations.every(({ station }) => station.connected));

/** Sends a command and returns its id, whatever became of it by then. */
async function send(identity: string): Promise<string> {
  const { status, body } = await rest("POST", `${cluster.apiUrl}/api/v1/ocpp16/send_command`, cluster.apiKey, {
    charge_point_id: identity,
    command: "ClearCache",
    payload: {},
    timeout_seconds: 5,
  });
  const id = body["command_id"];
  if (typeof id !== "string") throw new Error(`no command_id: ${status} ${JSON.stringify(body)}`);
  return id;
}

interface CommandRow {
  id: string;
  state: string;
  charge_point_id: string;
}

async function finalStates(ids: string[]): Promise<CommandRow[]> {
  return eventually("every command has its final state", async () => {
    const rows = await evidence.sql<CommandRow>(
      "select c.id, c.state, s.charge_point_id from commands c join stations s on s.id = c.station_id where c.id = any($1)",
      [ids],
    );
    return rows.length === ids.length && rows.every((row) => FINAL.includes(row.state)) ? rows : undefined;
  });
}

function expectDeliveredOnce(rows: CommandRow[]): void {
  const wrong = rows.filter(({ id, state, charge_point_id }) => {
    const station = stations.find((one) => one.identity === charge_point_id)?.station;
    const times = station?.commands.filter((command) => command.messageId === id).length ?? 0;
    const allowed =
      state === "accepted"
        ? [1]
        : state === "not_connected"
          ? [0]
          : ["unknown", "timeout"].includes(state)
            ? [0, 1]
            : [];
    return !allowed.includes(times);
  });
  expect(wrong).toEqual([]);
}

/** Right after: the station is found where it is now. */
async function expectFoundOnTheNewNode(): Promise<void> {
  await connectedAgain();
  const ids = await Promise.all(stations.map(({ identity }) => send(identity)));
  const rows = await finalStates(ids);
  expect(rows.map((row) => row.state)).toEqual(rows.map(() => "accepted"));
  expectDeliveredOnce(rows);
}

test("[1.7.3] commands sent while stations move between the nodes are delivered once, or unknown; then found on the new node", async () => {
  const ids: string[] = [];
  for (let turn = 0; turn < 15; turn += 1) {
    const sending = stations.map(async ({ identity }, index) => {
      await new Promise((resolve) => setTimeout(resolve, (index * 37) % 120));
      ids.push(await send(identity));
    });
    for (const { station } of stations) station.moveTo(turn % 2);
    await Promise.all(sending);
  }
  const rows = await finalStates(ids);
  expectDeliveredOnce(rows);
  // The test must have met the case it is about, and the ordinary one.
  expect(rows.filter((row) => row.state === "accepted").length).toBeGreaterThan(0);
  await expectFoundOnTheNewNode();
});

test("[1.7.3] commands sent while the owner's node is killed are delivered once, or unknown; then found on the other node", async () => {
  for (const { station } of stations) station.moveTo(0);
  await connectedAgain();
  const sending = Promise.all(
    stations.flatMap(({ identity }) =>
      Array.from({ length: 5 }, async (_, index) => {
        await new Promise((resolve) => setTimeout(resolve, index * 60));
        return send(identity);
      }),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 120));
  await cluster.kill("gateway1");
  expectDeliveredOnce(await finalStates(await sending));
  await expectFoundOnTheNewNode();
  await cluster.start("gateway1");
});
