// The installer's view of commissioning, as the quickstart has it; the jobs are played by writing what they would write.

import { randomUUID } from "node:crypto";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { findCommissioning, loadChecks, saveChecks } from "../commissioning/commissioning-rows.ts";
import { recordBoots } from "../stations/record-boot.ts";
import { recordConnections } from "../stations/record-connection.ts";
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

let serial = 0;
async function scene() {
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
      ocpp_version: "2.0.1",
      max_power_kw: 22,
      connector_count: 2,
    },
  });
  const id: string = registered.body.charge_point_id;
  const base = `/api/v1/installer/commissioning/${id}`;
  return {
    ...installer,
    key,
    orgId,
    projectId,
    id,
    base,
    start: (body: object = {}, as = installer.token) => world.ask("POST", `${base}/start`, { as, body }),
    get: (query = "", headers: Record<string, string> = {}, as = installer.token) =>
      world.ask("GET", base + query, { as, headers }),
  };
}

/** The charge point connected, booted and sent a heartbeat, and the intake has filed it. */
async function comeOnline(id: string, orgId: string, projectId: string): Promise<void> {
  const gateway = await startFakeGateway(
    process.env["TEST_REDIS_URL"] as string,
    `node-${randomUUID()}`,
    () => undefined,
  );
  gateways.push(gateway);
  const epoch = await gateway.hold(id as StationIdentity);
  const [row] = await world.sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = $1",
    [id],
  );
  const stationId = (row as { id: string }).id;
  const station = { id: stationId, chargePointId: id, orgId, projectId };
  await recordConnections(world.sql, [
    {
      kind: "opened",
      station,
      epoch,
      seq: 1,
      at: new Date(epoch),
      nodeId: gateway.nodeId,
      remoteAddress: "192.0.2.1",
      listener: null,
      ocppVersion: "2.0.1",
      notes: [],
    },
  ]);
  await recordBoots(world.sql, [
    {
      stationId,
      vendor: "V",
      model: "M",
      serialNumber: null,
      firmwareVersion: "3.4.1",
      reason: null,
      payload: "{}",
      bootedAt: new Date(),
      epoch,
      seq: 2,
    },
  ]);
  await recordSeen(world.sql, [{ stationId, lastSeenAt: new Date(), lastHeartbeatAt: new Date() }]);
}

/** What the jobs write when the meter check has passed. */
async function finish(id: string): Promise<void> {
  const [row] = await world.sql.query<{ id: string }>(
    "select m.id from commissionings m join stations s on s.id = m.station_id where s.charge_point_id = $1",
    [id],
  );
  const commissioning = await findCommissioning(world.sql, { id: (row as { id: string }).id }, "read");
  const checks = await loadChecks(world.sql, commissioning!.id);
  await saveChecks(
    world.sql,
    commissioning!.id,
    checks.map((check) =>
      check.status === "passed"
        ? check
        : { ...check, status: "passed" as const, nextAttemptAt: null, value: "4711 Wh" },
    ),
  );
  await world.sql.query(
    "update commissionings set status = 'completed', completed_at = now(), revision = revision + 1 where id = $1",
    [commissioning!.id],
  );
}

test("start answers as the quickstart says: 202 first, 200 with the same id afterwards", async () => {
  const { start, id, orgId, projectId } = await scene();
  await comeOnline(id, orgId, projectId);
  const body = {
    run_connectivity_test: true,
    run_meter_calibration: true,
    notes: "Installed in underground car park — check signal strength.",
  };
  const first = await start(body);
  expect([first.status, first.body]).toEqual([
    202,
    {
      commissioning_id: expect.stringMatching(/^comm_[0-9a-hjkmnp-tv-z]{12}$/),
      charge_point_id: id,
      status: "in_progress",
      checks: [
        { name: "ocpp_connection", status: "passed" },
        { name: "heartbeat", status: "passed" },
        { name: "meter_calibration", status: "in_progress" },
        { name: "firmware_version", status: "passed", value: "3.4.1" },
      ],
      started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    },
  ]);
  const second = await start(body);
  expect([second.status, second.body]).toEqual([200, first.body]);
});

test("the status is the same shape with completed_at, under both addresses, with an ETag", async () => {
  const { start, get, base, id, token, orgId, projectId } = await scene();
  expect((await get()).body).toMatchObject({ code: "not_found", remedy: expect.stringContaining("/start") });
  await comeOnline(id, orgId, projectId);
  const started = await start();
  const now = await get();
  expect([now.status, now.body]).toEqual([200, { ...started.body, completed_at: null }]);
  expect((await world.ask("GET", `${base}/status`, { as: token })).body).toEqual(now.body);
  const etag = now.headers.get("etag") as string;
  expect((await get("", { "if-none-match": etag })).status).toBe(304);
  await finish(id);
  const done = await get("", { "if-none-match": etag });
  expect([done.status, done.body.status]).toEqual([200, "completed"]);
  expect(done.body.completed_at).toMatch(/Z$/);
});

test("with wait the answer comes when something has changed", async () => {
  const { start, get, id, orgId, projectId } = await scene();
  await comeOnline(id, orgId, projectId);
  await start();
  const etag = (await get()).headers.get("etag") as string;
  const waiting = get("?wait=30", { "if-none-match": etag });
  await finish(id);
  expect((await waiting).body.status).toBe("completed");
});

interface SentEvent {
  id: string;
  event: string;
  // oxlint-disable-next-line no-explicit-any -- tests look into it and fail when it is not as expected
  data: any;
}

/** Reads a stream to its end. @param onFirst called when the first event is there. */
async function events(
  url: string,
  token: string,
  headers: Record<string, string> = {},
  onFirst: () => Promise<void> = async () => {},
) {
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...headers },
  });
  let text = "";
  const parse = (): SentEvent[] =>
    text.split("\n\n").flatMap((block) => {
      const fields = Object.fromEntries(
        block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      return fields["data"] === undefined
        ? []
        : [{ id: String(fields["id"]), event: String(fields["event"]), data: JSON.parse(fields["data"]) }];
    });
  let told = false;
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString("utf8");
    if (told || parse().length === 0) continue;
    told = true;
    await onFirst();
  }
  return { status: response.status, type: response.headers.get("content-type"), text, events: parse() };
}

test("Server-Sent Events show the state at once and every change, end with the commissioning, and resume", async () => {
  const { start, base, id, token, orgId, projectId } = await scene();
  await comeOnline(id, orgId, projectId);
  const started = await start();
  const seen = await events(`${world.url}${base}/events`, token, {}, () => finish(id));
  expect(seen.type).toContain("text/event-stream");
  expect(seen.text).toContain("retry: ");
  expect(seen.events.map((event) => event.event)).toEqual(["progress", "completed"]);
  expect(seen.events[0]?.data).toEqual({ ...started.body, completed_at: null });
  expect(seen.events.at(-1)?.data).toMatchObject({
    commissioning_id: started.body.commissioning_id,
    status: "completed",
  });
  const last = seen.events.at(-1)?.id as string;
  expect((await events(`${world.url}${base}/events`, token, { "last-event-id": last })).status).toBe(204);
  const resumed = await events(`${world.url}${base}/events`, token, { "last-event-id": "1" });
  expect(resumed.events).toEqual([seen.events.at(-1)]);
});

test("nobody else's charge point can be commissioned or looked at", async () => {
  const { start, get, key, base } = await scene();
  await start();
  const stranger = await world.installer();
  for (const answer of [
    await start({}, stranger.token),
    await get("", {}, stranger.token),
    await world.ask("GET", `${base}/events`, { as: stranger.token }),
  ])
    expect([answer.status, answer.body.code]).toEqual([404, "charge_point_not_found"]);
  expect((await start({}, key)).body.code).toBe("wrong_caller");
  expect((await world.ask("POST", `${base}/start`, { body: {} })).status).toBe(401);
});

test("after the handover nothing can be started, and the result can still be read", async () => {
  const { start, get, projectId, id, orgId } = await scene();
  await comeOnline(id, orgId, projectId);
  await start();
  await finish(id);
  await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
    projectId,
  ]);
  expect((await start()).body).toMatchObject({ status: 409, code: "project_handed_over" });
  expect((await get()).body.status).toBe("completed");
});

test("unknown fields and wrong types are named", async () => {
  const { start } = await scene();
  const { status, body } = await start({ run_connectivity_tests: true, run_meter_calibration: "yes" });
  expect([status, body.code]).toEqual([422, "validation_failed"]);
  expect(body.errors.map((error: { pointer: string }) => error.pointer).sort()).toEqual([
    "/run_connectivity_tests",
    "/run_meter_calibration",
  ]);
});

// Last: this server answers nothing any more. Were the connection kept, closing would outlast the test's time limit.
test("a process that stops ends its event streams, and does not wait for their connections", async () => {
  const { start, base, id, token, orgId, projectId } = await scene();
  await comeOnline(id, orgId, projectId);
  await start();
  let closed: Promise<void> | undefined;
  const seen = await events(
    `${world.url}${base}/events`,
    token,
    {},
    async () => void (closed = world.api.server.close()),
  );
  await closed;
  expect(seen.events.map((event) => event.event)).toEqual(["progress"]);
});
