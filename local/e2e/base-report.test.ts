import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { VirtualChargePoint } from "../virtual-charge-point.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { rest } from "./rest-client.ts";

let cluster: Cluster;
let postgres: pg.Client;
beforeAll(async () => {
  cluster = await startCluster();
  postgres = new pg.Client({ connectionString: cluster.databaseUrl });
  await postgres.connect();
});
afterAll(async () => {
  await postgres?.end();
  await cluster?.close();
});

test.each(OCPP_VERSIONS)("what a %s charge point is made of is known after its first boot", async (version) => {
  const [station] = await cluster.generateStations(1, version);
  const unit = new VirtualChargePoint({
    chargePointId: station?.identity as string,
    password: station?.password as string,
    version,
    endpoints: [`${cluster.ocppUrls[0]}/ocpp/${version}`],
    vendor: "Acme",
    model: "DC-180",
    serialNumber: "SN-1",
    firmwareVersion: "3.4.1",
    connectors: 2,
  });
  await unit.start();
  // It is asked half a minute after the boot; that wait is not what is tested here.
  await postgres.query(
    "update commands set not_before = now(), wake_at = now() where requested_by = 'system:base-report' and state = 'queued'",
  );
  const url = `${cluster.apiUrl}/api/v1/charge-points/${station?.identity}/variables`;
  const wanted = version === "1.6" ? "?variable=HeartbeatInterval" : "?component=Controller&variable=FirmwareVersion";
  const variable = await eventually("the variable is known", async () => {
    const { body } = await rest("GET", `${url}${wanted}`, cluster.apiKey);
    return (body["variables"] as Record<string, unknown>[])[0];
  });
  expect(variable).toMatchObject(
    version === "1.6"
      ? { component: "ChargePoint", value: "30", mutability: "ReadWrite", told_by: "GetConfiguration" }
      : { value: "3.4.1", mutability: "ReadOnly", told_by: "NotifyReport" },
  );
  const { rows: orders } = await postgres.query<{ known: boolean }>(
    "select bool_and(epoch > 0) as known from station_variables v join stations s on s.id = v.station_id where s.charge_point_id = $1",
    [station?.identity],
  );
  // Answers, too, have their place among the station's messages.
  expect(orders).toEqual([{ known: true }]);
  await eventually("the report is complete", async () => {
    const { rows } = await postgres.query(
      "select 1 from base_report_requests r join stations s on s.id = r.station_id where s.charge_point_id = $1 and r.state = 'complete'",
      [station?.identity],
    );
    return rows.length === 1;
  });
  await unit.close();
});
