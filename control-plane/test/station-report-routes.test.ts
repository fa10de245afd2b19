import { afterAll, beforeAll, expect, test } from "vitest";
import { recordVariables } from "../device-model/record-variables.ts";
import { factsOfReport } from "../device-model/read-variables.ts";
import { eventsOf, recordStationEvents } from "../monitoring/record-station-events.ts";
import { newId } from "../ids.ts";
import { recordSecurityEvents } from "../security-events/record-security-events.ts";
import { forgetOldReports } from "../station-items/forget-old-reports.ts";
import { type ItemKind, recordItems } from "../station-items/record-items.ts";
import { recordNotices } from "../station-notices/record-notices.ts";
import { recordDataTransfers } from "../data-transfer/record-data-transfers.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
let key: string;
let orgId: string;
let stranger: string;
const chargePointId = newId("cp");
const origin = { stationId: "", epoch: 5, seq: 1, receivedAt: new Date("2026-05-01T10:00:00Z") };
const path = (list: string) => `/api/v1/charge-points/${chargePointId}/${list}`;

beforeAll(async () => {
  world = await startApiWorld();
  ({ key, orgId } = await world.organization());
  ({ key: stranger } = await world.organization());
  const projectId = await world.project(key);
  const [row] = await world.sql.query<{ id: string }>(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, serial_number, vendor, model, ocpp_version, connector_count)
     values ($1, $1, $1, $2, $3, 'S1', 'V', 'M', '2.1', 1) returning id::text as id`,
    [chargePointId, orgId, projectId],
  );
  origin.stationId = (row as { id: string }).id;
});
afterAll(() => world.close());

/** All entries of a list, page by page. */
async function everything(list: string, member: string, query = ""): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (let cursor = ""; ;) {
    const { status, body } = await world.ask("GET", `${path(list)}?limit=2${cursor}${query}`, { as: key });
    expect({ status, problem: body.detail }).toEqual({ status: 200, problem: undefined });
    found.push(...body[member]);
    if (!body.has_more) return found;
    cursor = `&cursor=${encodeURIComponent(body.next_cursor)}`;
  }
}

test("variables, by component, name, EVSE and attribute, page by page", async () => {
  const of = (component: string, variable: string, evse?: number) => ({
    component: { name: component, ...(evse === undefined ? {} : { evse: { id: evse } }) },
    variable: { name: variable },
    variableAttribute: [{ value: "1" }, { type: "Target" as const, value: "2" }],
  });
  await recordVariables(
    world.sql,
    factsOfReport(
      {
        requestId: 1,
        generatedAt: "2026-05-01T10:00:00Z",
        seqNo: 0,
        reportData: [of("EVSE", "Power", 1), of("EVSE", "Power", 2), of("OCPPCommCtrlr", "HeartbeatInterval")],
      },
      origin,
    ),
  );
  const names = (rows: Record<string, unknown>[]) =>
    rows.map(
      (row) =>
        `${String(row["component"])}${String(row["evse_id"] ?? "")}.${String(row["variable"])}/${String(row["attribute"])}`,
    );
  expect(names(await everything("variables", "variables"))).toEqual([
    "EVSE1.Power/Actual",
    "EVSE1.Power/Target",
    "EVSE2.Power/Actual",
    "EVSE2.Power/Target",
    "OCPPCommCtrlr.HeartbeatInterval/Actual",
    "OCPPCommCtrlr.HeartbeatInterval/Target",
  ]);
  expect(names(await everything("variables", "variables", "&component=evse&evse_id=2&attribute=Target"))).toEqual([
    "EVSE2.Power/Target",
  ]);
  const { body } = await world.ask("GET", `${path("variables")}?variable=HEARTBEATINTERVAL`, { as: key });
  expect(body.variables[0]).toEqual({
    component: "OCPPCommCtrlr",
    component_instance: null,
    evse_id: null,
    connector_id: null,
    variable: "HeartbeatInterval",
    variable_instance: null,
    attribute: "Actual",
    value: "1",
    mutability: "ReadWrite",
    persistent: false,
    constant: false,
    characteristics: null,
    told_by: "NotifyReport",
    updated_at: "2026-05-01T10:00:00.000Z",
  });
});

test("[1.8-events] security events of a charge point and of the organisation, also the critical ones alone", async () => {
  const station = { id: origin.stationId, chargePointId, orgId, projectId: null };
  await recordSecurityEvents(
    world.sql,
    ["MemoryExhaustion", "InvalidMessages", "ResetOrReboot"].map((type) => ({
      station,
      source: "station" as const,
      type,
      techInfo: null,
      occurredAt: null,
      receivedAt: origin.receivedAt,
      identity: [type],
    })),
  );
  const types = (rows: { type?: unknown }[]) => rows.map(({ type }) => String(type)).sort((a, b) => (a < b ? -1 : 1));
  expect(types(await everything("security-events", "security_events"))).toEqual([
    "InvalidMessages",
    "MemoryExhaustion",
    "ResetOrReboot",
  ]);
  expect(types(await everything("security-events", "security_events", "&critical=false"))).toEqual(["InvalidMessages"]);
  const all = await world.ask("GET", "/api/v1/security-events?critical=true", { as: key });
  expect(types(all.body.security_events)).toEqual(["MemoryExhaustion", "ResetOrReboot"]);
  expect(all.body.security_events[0].charge_point_id).toBe(chargePointId);
  const others = await world.ask("GET", "/api/v1/security-events", { as: stranger });
  expect(others.body.security_events).toEqual([]);
});

test("events, notices, battery swaps and data transfers, newest first", async () => {
  const about = { component: { name: "C" }, variable: { name: "V" } };
  for (const [place, value] of ["1", "2", "3"].entries()) {
    const seq = place + 1;
    await recordStationEvents(
      world.sql,
      eventsOf(
        {
          generatedAt: "2026-05-01T10:00:00Z",
          seqNo: 0,
          eventData: [
            {
              eventId: 1,
              timestamp: "2026-05-01T10:00:00Z",
              trigger: "Delta",
              actualValue: value,
              eventNotificationType: "CustomMonitor",
              ...about,
            },
          ],
        },
        origin,
      ),
    );
    await recordNotices(world.sql, [
      { ...origin, kind: place === 1 ? "der_alarm" : "battery_swap", data: { requestId: place } },
    ]);
    await recordDataTransfers(world.sql, [
      {
        ...origin,
        seq,
        direction: place === 1 ? "to_charge_point" : "from_charge_point",
        request: { vendorId: "v", data: value },
        answer: { status: "Accepted" },
      },
    ]);
  }
  expect((await everything("events", "events")).map(({ value }) => value)).toEqual(["3", "2", "1"]);
  expect((await everything("notices", "notices")).map(({ kind }) => kind)).toEqual([
    "battery_swap",
    "der_alarm",
    "battery_swap",
  ]);
  expect((await everything("battery-swaps", "battery_swaps")).map(({ message }) => message)).toEqual([
    { requestId: 2 },
    { requestId: 0 },
  ]);
  expect((await everything("data-transfers", "data_transfers")).map(({ data }) => data)).toEqual(["3", "2", "1"]);
  expect(await everything("data-transfers", "data_transfers", "&direction=to_charge_point&vendor_id=V")).toEqual([
    {
      received_at: "2026-05-01T10:00:00.000Z",
      direction: "to_charge_point",
      vendor_id: "v",
      message_id: null,
      data: "2",
      status: "Accepted",
      response_data: null,
    },
  ]);
});

test.each([
  ["monitors", "monitor"],
  ["monitoring", "monitoring"],
  ["display-messages", "display_message"],
  ["der-controls", "der_control"],
  ["tariffs", "tariff"],
  ["event-streams", "event_stream"],
] as const)("%s: what is in force, and on request what was", async (list, kind) => {
  const item = (itemKey: string, present: boolean) => ({
    ...origin,
    kind: kind satisfies ItemKind,
    key: itemKey,
    present,
    data: {},
  });
  await recordItems(world.sql, [item("1", true), item("2", false), item("3", true)]);
  const member = list.replaceAll("-", "_");
  const inForce = async (query: string) => (await everything(list, member, query)).map((one) => one["in_force"]);
  expect(await inForce("")).toEqual([true, true]);
  expect(await inForce("&past=true")).toEqual([true, false, true]);
});

test("[D8] none of it is found by another organisation", async () => {
  for (const route of world.api.routes.filter(({ operationId }) => LISTS.has(operationId))) {
    const address = route.path.replace("{charge_point_id}", chargePointId);
    expect((await world.ask("GET", address, { as: key })).status).toBe(200);
    expect((await world.ask("GET", address, { as: stranger })).body.code).toBe("charge_point_not_found");
    const bad = await world.ask("GET", `${address}?cursor=${Buffer.from('["\\u0000"]').toString("base64url")}`, {
      as: key,
    });
    expect(bad.body.code).toBe("validation_failed");
  }
});
const LISTS = new Set([
  "listVariables",
  "listMonitors",
  "getMonitoringSettings",
  "listEvents",
  "listSecurityEvents",
  "listDisplayMessages",
  "listDerControls",
  "listTariffs",
  "listEventStreams",
  "listNotices",
  "listBatterySwaps",
  "listDataTransfers",
]);

test("what is long over goes; what is in force and security events stay", async () => {
  await world.sql.query("update station_items set received_at = now() - interval '31 days'");
  await world.sql.query(
    "update station_notices set received_at = now() - interval '401 days' where kind = 'der_alarm'",
  );
  await world.sql.query(
    "insert into station_reports (station_id, kind, request_id, updated_at) values ($1, 'variables', 1, now() - interval '8 days'), ($1, 'variables', 2, now())",
    [origin.stationId],
  );
  await forgetOldReports(world.sql);
  expect(await world.sql.query("select distinct present from station_items")).toEqual([{ present: true }]);
  expect(await world.sql.query("select distinct kind from station_notices")).toEqual([{ kind: "battery_swap" }]);
  expect(await world.sql.query("select request_id from station_reports")).toEqual([{ request_id: 2 }]);
  expect(await world.sql.query("select count(*)::int as count from security_events")).toEqual([{ count: 3 }]);
});
