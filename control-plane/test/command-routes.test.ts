import { randomUUID } from "node:crypto";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { recordSeen } from "../stations/record-seen.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { type FakeGateway, startFakeGateway } from "./fake-gateway.ts";

let world: ApiWorld;
const gateways: FakeGateway[] = [];
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop();
});
afterAll(() => world.close());

const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };
let serial = 0;

/** A charge point of this version, on a gateway where the station answers like this. */
async function scene(version: "1.6" | "2.0.1" | "2.1", answer: () => CommandOutcome | undefined = () => ACCEPTED) {
  const { key, orgId } = await world.organization();
  const installer = await world.installer();
  const projectId = await world.project(key, installer.installerId);
  const registered = await world.ask("POST", "/api/v1/installer/charge-points", {
    as: installer.token,
    body: {
      project_id: projectId,
      serial_number: `SN-${(serial += 1)}`,
      model: "M",
      vendor: "V",
      ocpp_version: version,
      max_power_kw: 22,
      connector_count: 2,
    },
  });
  const id: string = registered.body.charge_point_id;
  const gateway = await startFakeGateway(process.env["TEST_REDIS_URL"] as string, `node-${randomUUID()}`, answer);
  gateways.push(gateway);
  await gateway.hold(id as StationIdentity);
  const operator = (body: object, as = key) => world.ask("POST", `/api/v1/cpo/commands/${id}`, { as, body });
  const raw = (api: string, body: object, as = key) =>
    world.ask("POST", `/api/v1/${api}/send_command`, { as, body: { charge_point_id: id, ...body } });
  return { key, orgId, id, gateway, operator, raw };
}

test.each([
  ["1.6", "ocpp16"],
  ["2.0.1", "ocpp201"],
  ["2.1", "ocpp21"],
] as const)("a raw OCPP %s CALL answers with the station's own answer", async (version, api) => {
  const { raw, id, gateway } = await scene(version);
  const payload = { requestedMessage: "Heartbeat" };
  const { status, body, headers } = await raw(api, { command: "TriggerMessage", payload });
  expect([status, body]).toEqual([
    200,
    {
      command_id: expect.stringMatching(/^cmd_/),
      charge_point_id: id,
      command: "TriggerMessage",
      payload,
      status: "accepted",
      response: { status: "Accepted" },
      requested_at: expect.any(String),
      sent_at: expect.any(String),
      response_time_ms: expect.any(Number),
    },
  ]);
  expect(headers.get("location")).toBe(`/api/v1/commands/${body.command_id}`);
  expect(gateway.sent).toMatchObject([{ version, action: "TriggerMessage" }]);
});

test.each([
  ["1.6", "Reset", '{"type":"Soft"}'],
  ["2.0.1", "Reset", '{"type":"OnIdle"}'],
] as const)("soft_reset in OCPP %s is %s %s", async (version, action, payload) => {
  const { operator, gateway } = await scene(version);
  expect((await operator({ command: "soft_reset" })).body).toMatchObject({ command: action, status: "accepted" });
  expect(gateway.sent).toMatchObject([{ action, payload }]);
});

test("a command that takes longer than timeout_seconds: 202 with its address, which shows the end", async () => {
  let release = (_outcome: CommandOutcome) => {};
  const answered = new Promise<CommandOutcome>((resolve) => (release = resolve));
  const { raw, key } = await scene("1.6", (() => answered) as never);
  const { status, body, headers } = await raw("ocpp16", {
    command: "Reset",
    payload: { type: "Hard" },
    timeout_seconds: 1,
  });
  expect([status, body.status]).toEqual([202, "sent"]);
  release(ACCEPTED);
  const address = headers.get("location") as string;
  await expect.poll(async () => (await world.ask("GET", address, { as: key })).body.status).toBe("accepted");
});

test("what the station says no to, or answers with an error, is in the body", async () => {
  const no = await scene("1.6", () => ({ state: "rejected", response: '{"status":"Rejected"}' }));
  expect((await no.operator({ command: "hard_reset" })).body).toMatchObject({
    status: "rejected",
    response: { status: "Rejected" },
  });
  const error = await scene("1.6", () => ({ state: "error", error: { code: "NotSupported", description: "no" } }));
  expect((await error.operator({ command: "hard_reset" })).body).toMatchObject({
    status: "error",
    response: null,
    error: { code: "NotSupported" },
  });
});

test("a charge point that is away: not_connected at once, with the reason and when it was last seen", async () => {
  const { operator, gateway, id, key } = await scene("1.6");
  await gateway.letGo(id as StationIdentity);
  const { status, body } = await operator({ command: "soft_reset" });
  expect([status, body]).toEqual([
    200,
    expect.objectContaining({
      status: "not_connected",
      reason: "the charge point is not connected",
      last_seen_at: null,
      sent_at: null,
    }),
  ]);
  const [station] = await world.sql.query<{ id: string }>("select id from stations where charge_point_id = $1", [id]);
  await recordSeen(world.sql, [
    { stationId: String(station?.id), lastSeenAt: new Date("2026-05-01T10:30:00Z"), lastHeartbeatAt: undefined },
  ]);
  const later = await world.ask("GET", `/api/v1/commands/${body.command_id}`, { as: key });
  expect(later.body.last_seen_at).toBe("2026-05-01T10:30:00.000Z");
});

test("mistakes are named with their place, and nothing is sent", async () => {
  const { operator, raw, gateway } = await scene("1.6");
  const cases = [
    [await raw("ocpp16", { command: "Reset", payload: { type: "Warm" } }), "/payload/type"],
    [await raw("ocpp16", { command: "Reset", payload: { typ: "Soft" } }), "/payload/type"],
    [await raw("ocpp16", { command: "Explode", payload: {} }), "/command"],
    [await raw("ocpp16", { command: "Heartbeat", payload: {} }), "/command"],
    [await operator({ command: "unlock_connector" }), "/parameters/connector_id"],
    [
      await operator({ command: "unlock_connector", parameters: { connector_id: 1, conector: 2 } }),
      "/parameters/conector",
    ],
    [await operator({ command: "warm_reset" }), "/command"],
    [await operator({ command: "soft_reset", timeout_seconds: 61 }), "/timeout_seconds"],
  ] as const;
  for (const [{ status, body }, pointer] of cases) {
    expect([status, body.code], JSON.stringify(body)).toEqual([422, "validation_failed"]);
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  }
  expect(gateway.heard).toEqual([]);
});

test("another version's address says which one to use", async () => {
  const { raw } = await scene("2.0.1");
  const { status, body } = await raw("ocpp16", { command: "Reset", payload: { type: "Soft" } });
  expect([status, body.code, body.ocpp_version]).toEqual([409, "wrong_ocpp_version", "2.0.1"]);
  expect(body.remedy).toContain("/api/v1/ocpp201/send_command");
});

test("other organisations find neither the charge point nor its commands; a key needs the scope", async () => {
  const { operator, raw, key } = await scene("1.6");
  const sent = await operator({ command: "soft_reset" });
  const other = await world.organization();
  expect((await operator({ command: "soft_reset" }, other.key)).body.code).toBe("charge_point_not_found");
  expect((await raw("ocpp16", { command: "ClearCache" }, other.key)).status).toBe(404);
  expect((await world.ask("GET", `/api/v1/commands/${sent.body.command_id}`, { as: other.key })).status).toBe(404);
  expect((await world.ask("GET", `/api/v1/commands/${sent.body.command_id}`, { as: key })).status).toBe(200);
  const reader = await world.organization(["read:charge_points"]);
  expect((await operator({ command: "soft_reset" }, reader.key)).body.code).toBe("missing_scope");
});

test("the history shows newest first, page by page, with secrets masked", async () => {
  const { operator, raw, key, id } = await scene("1.6");
  await operator({ command: "soft_reset" });
  await raw("ocpp16", {
    command: "ChangeConfiguration",
    payload: { key: "AuthorizationKey", value: "0123456789abcdef0123" },
  });
  await operator({ command: "hard_reset" });
  const first = await world.ask("GET", `/api/v1/cpo/commands/${id}?limit=2`, { as: key });
  expect(first.body).toMatchObject({
    has_more: true,
    commands: [{ payload: { type: "Hard" } }, { payload: { key: "AuthorizationKey", value: "***" } }],
  });
  const second = await world.ask("GET", `/api/v1/cpo/commands/${id}?limit=2&cursor=${first.body.next_cursor}`, {
    as: key,
  });
  expect(second.body).toMatchObject({ has_more: false, next_cursor: null, commands: [{ payload: { type: "Soft" } }] });
});

test("the same Idempotency-Key sends one command", async () => {
  const { id, key, gateway } = await scene("1.6");
  const ask = () =>
    world.ask("POST", `/api/v1/cpo/commands/${id}`, {
      as: key,
      body: { command: "unlock_connector", parameters: { connector_id: 1 } },
      headers: { "idempotency-key": "unlock-1" },
    });
  const [first, second] = [await ask(), await ask()];
  expect(second.body).toEqual(first.body);
  expect(gateway.sent).toHaveLength(1);
});

// Last: this server answers nothing any more. Were the wait not cut short, closing would outlast the test's time limit.
test("a process that stops does not wait for stations: 202, and the command goes on", async () => {
  const { operator, gateway } = await scene("1.6", () => undefined);
  const waiting = operator({ command: "soft_reset", timeout_seconds: 60 });
  await expect.poll(() => gateway.sent.length).toBe(1);
  await world.api.server.close();
  expect((await waiting).status).toBe(202);
});
