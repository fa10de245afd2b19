import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { missingOrDoubled, openEvidence, type Evidence } from "./ledger-check.ts";
import { LedgerStation } from "./ledger-station.ts";

/** How long the control plane is away. The figure of the promise is two minutes. */
const OUTAGE_SECONDS = Number(process.env["OUTAGE_SECONDS"] ?? 120);
const EACH = 3;

let cluster: Cluster;
let evidence: Evidence;
let stations: { identity: string; version: "1.6" | "2.0.1"; station: LedgerStation; transactionId: string }[];

beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  const [v16, v201] = await Promise.all([
    cluster.generateStations(EACH, "1.6"),
    cluster.generateStations(EACH, "2.0.1"),
  ]);
  const make = (version: "1.6" | "2.0.1") => (one: { identity: string; password: string }, index: number) => {
    const station = new LedgerStation({ origins: cluster.ocppUrls, ...one, version });
    station.connect(index);
    return { identity: one.identity, version, station, transactionId: "" };
  };
  stations = [...v16.map(make("1.6")), ...v201.map(make("2.0.1"))];
});

afterAll(async () => {
  for (const { station } of stations ?? []) station.stop();
  await evidence?.close();
  await cluster?.close();
});

const now = () => new Date().toISOString();
const boot = (version: string) =>
  version === "1.6"
    ? { chargePointVendor: "Alpitronic", chargePointModel: "HYC300", firmwareVersion: "3.4.1" }
    : { reason: "PowerUp", chargingStation: { vendorName: "Alpitronic", model: "HYC300", firmwareVersion: "3.4.1" } };

function start(one: (typeof stations)[number]) {
  return one.version === "1.6"
    ? one.station.call("StartTransaction", { connectorId: 1, idTag: "TAG-1", meterStart: 1000, timestamp: now() })
    : one.station.call("TransactionEvent", event(one, "Started", 0));
}

function event(one: (typeof stations)[number], eventType: string, seqNo: number) {
  return {
    eventType,
    timestamp: now(),
    triggerReason:
      eventType === "Started" ? "CablePluggedIn" : eventType === "Ended" ? "EVDeparted" : "MeterValuePeriodic",
    seqNo,
    transactionInfo: { transactionId: one.transactionId },
    evse: { id: 1, connectorId: 1 },
    meterValue: [
      { timestamp: now(), sampledValue: [{ value: 1000 + seqNo, measurand: "Energy.Active.Import.Register" }] },
    ],
  };
}

function report(one: (typeof stations)[number], turn: number) {
  const { station, version } = one;
  const status = turn % 2 === 0 ? "Charging" : "SuspendedEV";
  return version === "1.6"
    ? [
        station.call("Heartbeat"),
        station.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status, timestamp: now() }),
        station.call("MeterValues", {
          connectorId: 1,
          transactionId: Number(one.transactionId),
          meterValue: [
            {
              timestamp: now(),
              sampledValue: [{ value: String(1000 + turn), measurand: "Energy.Active.Import.Register", unit: "Wh" }],
            },
          ],
        }),
      ]
    : [
        station.call("Heartbeat"),
        station.call("StatusNotification", {
          timestamp: now(),
          connectorStatus: "Occupied",
          evseId: 1,
          connectorId: 1,
        }),
        station.call("TransactionEvent", event(one, "Updated", turn + 1)),
      ];
}

test(`[1.6-never-error] [1.6-historic] the control plane is away for ${OUTAGE_SECONDS} s: stations stay, boot and deliver; afterwards all of it is in Postgres once`, async () => {
  await Promise.all(stations.map(({ station, version }) => station.call("BootNotification", boot(version))));
  await Promise.all(
    stations.map(async (one) => {
      if (one.version === "2.0.1") one.transactionId = `tx-${one.identity}`;
      const { answer } = await start(one);
      if (one.version === "1.6") one.transactionId = String(answer?.["transactionId"]);
    }),
  );
  expect(stations.map((one) => one.transactionId)).not.toContain("undefined");

  await cluster.stopControlPlane();

  const end = Date.now() + OUTAGE_SECONDS * 1_000;
  let turn = 0;
  for (; Date.now() < end; turn += 1) {
    await Promise.all(stations.flatMap((one) => report(one, turn)));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  // One of each version goes to the other node and boots there, twice; one of each ends its transaction.
  for (const one of [stations[0], stations[EACH]] as typeof stations) {
    for (const target of [1, 0]) {
      one.station.moveTo(target);
      const { answer } = await one.station.call("BootNotification", boot(one.version));
      expect(answer).toMatchObject({ status: "Accepted" });
    }
  }
  for (const one of [stations[1], stations[EACH + 1]] as typeof stations) {
    const { error, answer } =
      one.version === "1.6"
        ? await one.station.call("StopTransaction", {
            transactionId: Number(one.transactionId),
            meterStop: 2000,
            timestamp: now(),
          })
        : await one.station.call("TransactionEvent", event(one, "Ended", turn + 1));
    expect(error).toBeUndefined();
    expect(answer).toBeDefined();
  }
  // Nobody was refused or let wait for the control plane.
  expect(stations.flatMap(({ station }) => station.ledger.filter((entry) => entry.answer === undefined))).toEqual([]);
  expect(stations.map(({ station }) => station.connections)).toEqual(
    stations.map((_, index) => (index % EACH === 0 ? 3 : 1)),
  );

  await cluster.startControlPlane();
  await evidence.intakeIdle();

  for (const { identity, station } of stations) expect(await missingOrDoubled(evidence, identity, station)).toEqual([]);
  for (const one of stations) {
    const ids = [one.identity];
    const [meter] = await evidence.sql<{ n: number; different: number }>(
      `select count(*)::int as n, count(distinct m.sampled_at)::int as different
         from meter_values m join stations s on s.id = m.station_id where s.charge_point_id = $1`,
      ids,
    );
    const sent = one.station.ledger.filter((entry) => "meterValue" in entry.payload).length;
    expect(meter).toEqual({ n: sent, different: sent });
    const [seen] = await evidence.sql<{ late: boolean }>(
      "select last_heartbeat_at < now() - interval '60 seconds' as late from station_seen join stations s on s.id = station_id where charge_point_id = $1",
      ids,
    );
    expect(seen).toEqual({ late: false });
  }
  const ended = await evidence.sql<{ charge_point_id: string }>(
    "select s.charge_point_id from transactions t join stations s on s.id = t.station_id where t.state = 'ended' order by s.id",
  );
  expect(ended.map((row) => row.charge_point_id).toSorted()).toEqual(
    [stations[1], stations[EACH + 1]].map((one) => one?.identity ?? "").toSorted(),
  );
  expect(await evidence.sql("select * from dead_letters")).toEqual([]);
  await eventually("every station is still or again connected", () =>
    stations.every(({ station }) => station.connected),
  );
});
