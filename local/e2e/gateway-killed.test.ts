import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type ProgramName } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { readyInstaller } from "./installer-journey.ts";
import { missingOrDoubled, openEvidence, type Evidence } from "./ledger-check.ts";
import { LedgerStation } from "./ledger-station.ts";
import { rest } from "./rest-client.ts";
import { bootPayload, obeyTrigger, plainAnswer } from "./station-answers.ts";

let cluster: Cluster;
let evidence: Evidence;

beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
});
afterAll(async () => {
  await evidence?.close();
  await cluster?.close();
});

const GATEWAYS: ProgramName[] = ["gateway1", "gateway2"];

test.each([
  { node: 0, version: "1.6" },
  { node: 1, version: "2.0.1" },
] as const)(
  "node $node is killed during a commissioning of a $version station: it completes on the other, nothing is missing",
  async ({ node, version }) => {
    const { token, projectId } = await readyInstaller(cluster, `alex-${node}@acme.example`);
    const registered = await rest("POST", `${cluster.apiUrl}/api/v1/installer/charge-points`, token, {
      project_id: projectId,
      serial_number: `SN-${node}`,
      model: "HYC300",
      vendor: "Alpitronic",
      ocpp_version: version,
      max_power_kw: 300,
      connector_count: 2,
    });
    const identity = String(registered.body["charge_point_id"]);
    let killed: Promise<void> | undefined;
    const station: LedgerStation = new LedgerStation({
      origins: cluster.ocppUrls,
      identity,
      password: String(registered.body["provisioning_password"]),
      version,
      answer: (action, payload) => {
        // The node dies with the meter's question on its way: the first one is never answered.
        if (action === "TriggerMessage" && payload["requestedMessage"] === "MeterValues" && killed === undefined) {
          killed = cluster.kill(GATEWAYS[node] as ProgramName);
          return undefined;
        }
        if (action === "TriggerMessage") setTimeout(() => obeyTrigger(station, version, payload, 4_711), 20);
        return plainAnswer(action);
      },
    });
    station.connect(node);
    expect(await station.call("BootNotification", bootPayload(version))).toMatchObject({
      answer: { status: "Accepted" },
    });
    await station.call("Heartbeat");
    const start = await rest("POST", `${cluster.apiUrl}/api/v1/installer/commissioning/${identity}/start`, token, {});
    expect(start.status).toBe(202);

    await eventually("the node is killed", () => killed !== undefined);
    await killed;
    // The station goes on talking while it looks for another node.
    const talking = Array.from({ length: 20 }, () => station.call("Heartbeat")).concat(
      Array.from({ length: 10 }, (_, index) =>
        station.call(
          "StatusNotification",
          version === "1.6"
            ? {
                connectorId: 1,
                errorCode: "NoError",
                status: index % 2 ? "Preparing" : "Available",
                timestamp: new Date().toISOString(),
              }
            : {
                timestamp: new Date().toISOString(),
                connectorStatus: index % 2 ? "Occupied" : "Available",
                evseId: 1,
                connectorId: 1,
              },
        ),
      ),
    );
    const done = await eventually(
      "the commissioning ends",
      async () => {
        const { body } = await rest("GET", `${cluster.apiUrl}/api/v1/installer/commissioning/${identity}`, token);
        return body["status"] === "in_progress" ? undefined : body;
      },
      180_000,
    );
    expect(done).toMatchObject({ status: "completed", commissioning_id: start.body["commissioning_id"] });
    await Promise.all(talking);
    await evidence.intakeIdle();
    expect(await missingOrDoubled(evidence, identity, station)).toEqual([]);
    expect(station.ledger.filter((entry) => entry.error)).toEqual([]);
    station.stop();
    await cluster.start(GATEWAYS[node] as ProgramName);
  },
);
