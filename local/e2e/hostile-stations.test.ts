import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { everythingOf } from "./everything-of.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { askRaw, connectRaw, type Version } from "./raw-station.ts";
import { secondOrganization } from "./two-organizations.ts";

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

/** One handshake with a password, from an address of this machine; resolves to the status it was refused with, or 101. */
function knock(identity: string, password: string, localAddress: string): Promise<number> {
  const { hostname, port } = new URL(cluster.ocppUrls[0]);
  return new Promise((resolve, reject) => {
    const asked = request({
      hostname,
      family: 4,
      port,
      localAddress,
      path: `/ocpp/1.6/${identity}`,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": "ocpp1.6",
        authorization: `Basic ${Buffer.from(`${identity}:${password}`).toString("base64")}`,
      },
    });
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("[D1] passwords tried on many identities, and on one above all, are slowed down; the station itself gets in all the while", async () => {
  const [victim] = await cluster.generateStations(1, "1.6");
  if (victim === undefined) throw new Error("no station was made");
  const identities = Array.from({ length: 30 }, (_, index) => `cp_stranger${String(index).padStart(4, "0")}`);
  const guesses = [...identities, ...Array.from({ length: 20 }, () => victim.identity)].flatMap((identity, index) =>
    Array.from({ length: 8 }, (_, turn) => ({ identity, password: `guessed-${index}-${turn}-password` })),
  );
  const statuses: number[] = [];
  let own = 0;
  const guessing = Promise.all(
    Array.from({ length: 40 }, async (_, lane) => {
      for (let at = lane; at < guesses.length; at += 40) {
        const { identity, password } = guesses[at] as (typeof guesses)[number];
        statuses.push(await knock(identity, password, "127.0.0.2"));
      }
    }),
  );
  let over = false;
  void guessing.finally(() => (over = true));
  do {
    const station = await connectRaw(cluster.ocppUrls[0].replace("localhost", "127.0.0.1"), victim, "1.6");
    expect(await station.heartbeat()).toContain("currentTime");
    station.socket.close();
    await station.closed;
    own += 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
  } while (!over);
  await guessing;
  expect(own).toBeGreaterThan(1);
  expect(statuses).toHaveLength(guesses.length);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
});

test("[D8] [1.6-owner] a station of one organisation that uses the numbers, tokens and requests of another's changes nothing there", async () => {
  await secondOrganization(cluster, evidence);
  const [{ id: orgId } = { id: "" }] = await evidence.sql<{ id: string }>(
    "select id from organizations where id <> 'org_stranger0000'",
  );
  await evidence.sql("insert into id_tokens (org_id, token, status) values ($1, 'card-of-the-owner', 'Accepted')", [
    orgId,
  ]);
  const version: Version = "2.0.1";
  const [[owner16], [owner], [thief16], [thief]] = [
    await cluster.generateStations(1, "1.6", orgId),
    await cluster.generateStations(1, version, orgId),
    await cluster.generateStations(1, "1.6", "org_stranger0000"),
    await cluster.generateStations(1, version, "org_stranger0000"),
  ] as { identity: string; password: string }[][] as [
    [{ identity: string; password: string }],
    [{ identity: string; password: string }],
    [{ identity: string; password: string }],
    [{ identity: string; password: string }],
  ];
  const at = "2026-03-01T10:00:00Z";
  const idToken = { idToken: "card-of-the-owner", type: "ISO14443" };
  const event = (eventType: string, seqNo: number, more: object = {}) => ({
    eventType,
    timestamp: at,
    triggerReason: "Authorized",
    seqNo,
    transactionInfo: { transactionId: "tx-of-the-owner" },
    evse: { id: 1, connectorId: 1 },
    ...more,
  });
  const report = (value: string) => ({
    requestId: 4711,
    generatedAt: at,
    seqNo: 0,
    reportData: [{ component: { name: "Controller" }, variable: { name: "Name" }, variableAttribute: [{ value }] }],
  });
  const ask = async (station: Awaited<ReturnType<typeof connectRaw>>, action: string, payload: object) =>
    askRaw(station, JSON.stringify([2, `${action}-${Math.random().toString(36).slice(2, 8)}`, action, payload]));

  const first16 = await connectRaw(cluster.ocppUrls[0], owner16, "1.6");
  const start = { connectorId: 1, idTag: "card-of-the-owner", meterStart: 1, timestamp: at };
  const started = (await ask(first16, "StartTransaction", start))[2] as {
    transactionId: number;
    idTagInfo: { status: string };
  };
  expect(started.idTagInfo.status).toBe("Accepted");
  const first = await connectRaw(cluster.ocppUrls[0], owner, version);
  await ask(first, "TransactionEvent", event("Started", 0, { idToken }));
  await ask(first, "NotifyReport", report("the owner's"));
  for (const station of [first16, first]) station.socket.close();
  await Promise.all([first16.closed, first.closed]);
  await evidence.intakeIdle();
  const stationIds = await evidence.sql<{ id: string }>(
    "select id::text as id from stations where charge_point_id = any($1) order by id",
    [[owner16.identity, owner.identity]],
  );
  const ownersThings = async () => [
    await Promise.all(stationIds.map(({ id }) => everythingOf(evidence, "station_id", id))),
    (await everythingOf(evidence, "org_id", orgId))["transactions"],
    (await everythingOf(evidence, "org_id", orgId))["stations"],
    (await everythingOf(evidence, "org_id", orgId))["id_tokens"],
  ];
  const before = await ownersThings();

  const second16 = await connectRaw(cluster.ocppUrls[1], thief16, "1.6");
  const { transactionId } = started;
  const meterValue = [{ timestamp: at, sampledValue: [{ value: "9" }] }];
  const stolen16: [string, object][] = [
    ["StopTransaction", { transactionId, meterStop: 9, timestamp: at }],
    ["MeterValues", { connectorId: 1, transactionId, meterValue }],
    [
      "BootNotification",
      { chargePointVendor: "V", chargePointModel: "M", chargePointSerialNumber: owner16.identity.slice(0, 25) },
    ],
    ["FirmwareStatusNotification", { status: "InstallationFailed" }],
  ];
  for (const [action, payload] of stolen16)
    expect([action, (await ask(second16, action, payload))[0]]).toEqual([action, 3]);
  const authorized = (await ask(second16, "Authorize", { idTag: "card-of-the-owner" }))[2];
  expect(authorized).not.toMatchObject({ idTagInfo: { status: "Accepted" } });
  const restarted = (await ask(second16, "StartTransaction", start))[2] as { transactionId: number };
  expect(restarted.transactionId).not.toBe(transactionId);

  const second = await connectRaw(cluster.ocppUrls[1], thief, version);
  const stolen: [string, object][] = [
    ["TransactionEvent", event("Ended", 1)],
    ["TransactionEvent", event("Started", 0, { evse: { id: 9 } })],
    ["NotifyReport", report("the thief's")],
    ["ReservationStatusUpdate", { reservationId: 1, reservationUpdateStatus: "Removed" }],
    ["FirmwareStatusNotification", { status: "Installed", requestId: 4711 }],
    [
      "NotifyEvent",
      {
        generatedAt: at,
        seqNo: 0,
        eventData: [
          {
            eventId: 1,
            timestamp: at,
            trigger: "Alerting",
            actualValue: "x",
            eventNotificationType: "HardWiredMonitor",
            component: { name: "Controller" },
            variable: { name: "Name" },
          },
        ],
      },
    ],
  ];
  for (const [action, payload] of stolen)
    expect([action, (await ask(second, action, payload))[0]]).toEqual([action, 3]);
  for (const station of [second16, second]) station.socket.terminate();
  await evidence.intakeIdle();
  expect(await ownersThings()).toEqual(before);
});
