// What is promised (design "Commands"): each command ends in exactly one final state, is sent at most once, and goes on to
// the new owner only while it surely was not sent.

import { randomUUID } from "node:crypto";
import { type CommandMessage, type CommandOutcome, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { nodeLease } from "@dynamo-csms/proto/redis-keys";
import { parseSecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findCommand } from "../commands/command-answer.ts";
import { createCommandMetrics } from "../commands/command-metrics.ts";
import { DELIVERY_TIMING } from "../commands/deliver-command.ts";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import { createNodeChannel, type NodeChannel } from "../commands/node-channel.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { createOpenCommands } from "../commands/open-commands.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { createCommandSender, type CommandSender } from "../commands/send-command.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { inTransaction, sqlOn } from "../database.ts";
import { SCOPES } from "../http/route.ts";
import { type Answer, type FakeGateway, startFakeGateway } from "./fake-gateway.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

const REDIS = process.env["TEST_REDIS_URL"] as string;
const secretsKey = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));
const log = pino({ level: "silent" });
/** Shorter than in production, so that the file takes seconds. */
const timing = { ...DELIVERY_TIMING, receiptMs: 300, watchMs: 100, movedGraceMs: 200, deafMs: 500 };

let database: OwnDatabase;
let project: TestProject;
let redis: Redis;
let subscriber: Redis;
let channel: NodeChannel;
let sender: CommandSender;
const gateways: FakeGateway[] = [];

beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  redis = new Redis(REDIS, { protocol: 2 });
  subscriber = new Redis(REDIS, { protocol: 2 });
  channel = createNodeChannel({ askerId: `test-${randomUUID()}`, redis, subscriber, log });
  await channel.start();
  sender = createCommandSender({
    pool: database.pool,
    channel,
    resolveOwner: (identity) => resolveOwner(redis, identity),
    secretsKey,
    timing,
    metrics: createCommandMetrics(new Registry()),
    log,
  });
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop();
});
afterAll(async () => {
  await sender.stop();
  await channel.stop();
  redis.disconnect();
  subscriber.disconnect();
  await database.drop();
});

async function gatewayWith(answer: Answer): Promise<FakeGateway> {
  const gateway = await startFakeGateway(REDIS, `node-${randomUUID()}`, answer);
  gateways.push(gateway);
  return gateway;
}

async function send(
  station: TestStation,
  action = "Reset",
  payload: unknown = { type: "Soft" },
  callTimeoutMs = 3_000,
) {
  const found = await findCommandableStation(sqlOn(database.pool), project.orgId, station.chargePointId);
  const sent = await sender.send({ station: found!, action, payload, requestedBy: "test", callTimeoutMs });
  if (!sent.ok) throw new Error(JSON.stringify(sent.error));
  return sent.value;
}

const rowOf = async (commandId: string) =>
  (await findCommand(sqlOn(database.pool), { orgId: project.orgId, scopes: SCOPES }, commandId))!;
async function finalOf(station: TestStation, ...rest: [string?, unknown?, number?]) {
  const sent = await send(station, ...rest);
  await sent.settled;
  return rowOf(sent.commandId);
}

const recordOutcome = (commandId: string, outcome: CommandOutcome) =>
  inTransaction(database.pool, (sql) => recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log }));

const accepted: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };
const newStation = () => registerStation(database.pool, project, "1.6");

test("a command goes to the node that holds the station and comes back with the station's answer", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => accepted);
  const epoch = await gateway.hold(station.identity);
  const row = await finalOf(station);
  expect(row).toMatchObject({
    status: "accepted",
    command: "Reset",
    response: { status: "Accepted" },
    charge_point_id: station.chargePointId,
  });
  expect(row.sent_at).not.toBeNull();
  expect(row.response_time_ms).toBeGreaterThanOrEqual(0);
  expect(gateway.sent).toMatchObject([
    { commandId: row.command_id, epoch, action: "Reset", payload: '{"type":"Soft"}' },
  ]);
});

test.each<[string, CommandOutcome]>([
  ["rejected", { state: "rejected", response: '{"status":"Rejected"}' }],
  ["error", { state: "error", error: { code: "NotSupported", description: "no such feature" } }],
  ["timeout", { state: "timeout" }],
])("the gateway's word %s is the final state", async (status, outcome) => {
  const station = await newStation();
  await (await gatewayWith(() => outcome)).hold(station.identity);
  expect(await finalOf(station)).toMatchObject({ status, ...(outcome.error && { error: outcome.error }) });
});

test("a station that nobody holds is not_connected at once, and nothing is published", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => accepted);
  await gateway.hold(station.identity);
  await gateway.letGo(station.identity);
  expect(await finalOf(station)).toMatchObject({ status: "not_connected" });
  expect(gateway.heard).toEqual([]);
});

test("a dead node's station is not_connected: nobody listens, and its lease is gone", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => accepted);
  await gateway.hold(station.identity);
  gateway.crash();
  await redis.del(nodeLease(gateway.nodeId));
  expect(await finalOf(station)).toMatchObject({ status: "not_connected" });
});

test("nobody listens at the former node any more: the command goes to the new owner", async () => {
  const station = await newStation();
  const dead = await gatewayWith(() => accepted);
  await dead.hold(station.identity);
  dead.crash();
  const alive = await gatewayWith(() => accepted);
  const sent = await send(station);
  await alive.hold(station.identity);
  await sent.settled;
  expect(await rowOf(sent.commandId)).toMatchObject({ status: "accepted" });
  expect(alive.sent).toHaveLength(1);
});

test("a node that says notHere is left for the new owner, and the command is sent once", async () => {
  const station = await newStation();
  const [former, next] = [await gatewayWith(() => accepted), await gatewayWith(() => accepted)];
  await former.hold(station.identity);
  former.loseSocket(station.identity);
  const moving = await send(station);
  setTimeout(() => void next.hold(station.identity), 150);
  await moving.settled;
  expect(await rowOf(moving.commandId)).toMatchObject({ status: "accepted" });
  expect(next.sent.map((command) => command.commandId)).toEqual([moving.commandId]);
});

test("without receipt it is published again to the same connection, and the gateway sends it once", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => accepted);
  await gateway.hold(station.identity);
  gateway.muted = true;
  const sent = await send(station);
  await expect.poll(() => gateway.heard.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(2);
  gateway.muted = false;
  await sent.settled;
  expect(await rowOf(sent.commandId)).toMatchObject({ status: "accepted" });
  expect(gateway.sent).toHaveLength(1);
});

test("[1.7.3] the connection changed after the command may have been received: unknown, and the new owner never gets it", async () => {
  const station = await newStation();
  const [former, next] = [await gatewayWith(() => undefined), await gatewayWith(() => accepted)];
  await former.hold(station.identity);
  const sent = await send(station, "Reset", { type: "Hard" }, 20_000);
  await expect.poll(() => former.sent.length).toBe(1);
  await next.hold(station.identity);
  await sent.settled;
  expect(await rowOf(sent.commandId)).toMatchObject({ status: "unknown" });
  expect(next.heard).toEqual([]);
  expect(await finalOf(station)).toMatchObject({ status: "accepted" });
});

test("[1.7.3] the owner's node dies with the command: unknown once the station is elsewhere", async () => {
  const station = await newStation();
  const [former, next] = [await gatewayWith(() => undefined), await gatewayWith(() => accepted)];
  await former.hold(station.identity);
  const sent = await send(station, "Reset", { type: "Hard" }, 20_000);
  await expect.poll(() => former.sent.length).toBe(1);
  former.crash();
  await next.hold(station.identity);
  await sent.settled;
  expect(await rowOf(sent.commandId)).toMatchObject({ status: "unknown" });
});

test("an outcome that came through the lane ends the waiting, although every report was lost", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => undefined);
  await gateway.hold(station.identity);
  gateway.muted = true;
  const sent = await send(station, "Reset", { type: "Soft" }, 20_000);
  await expect.poll(() => gateway.sent.length).toBe(1);
  expect(await recordOutcome(sent.commandId, accepted)).toBe(true);
  await sent.settled;
  expect(await rowOf(sent.commandId)).toMatchObject({ status: "accepted" });
});

test("processes that follow many commands ask for all of them together", async () => {
  const { pool } = database;
  let questions = 0;
  const open = createOpenCommands({
    query: (text, values) => {
      questions += 1;
      return sqlOn(pool).query(text, values);
    },
  });
  const station = await newStation();
  await (await gatewayWith(() => accepted)).hold(station.identity);
  const ended = await finalOf(station);
  const epoch = 7;
  await pool.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at, epoch)
     select 'cmd_open' || n, $1, $2, '1.6', 'Reset', '{}', 'test', case n when 2 then 'queued' else 'sent' end, now() + interval '1 hour', $3
     from generate_series(1, 3) n`,
    [project.orgId, station.id, epoch],
  );
  expect(
    await Promise.all([
      open.isOpen("cmd_open1", epoch),
      open.isOpen("cmd_open1", epoch + 1),
      open.isOpen("cmd_open2", epoch),
      open.isOpen("cmd_open3", epoch),
      open.isOpen(ended.command_id, epoch),
      open.isOpen("cmd_none", epoch),
    ]),
  ).toEqual([true, false, false, true, false, false]);
  expect(questions).toBe(1);
  await pool.query("update commands set state = 'unknown', final_at = now() where id like 'cmd_open%'");
  expect(await open.isOpen("cmd_open1", epoch)).toBe(false);
});

// Broken once on purpose: without `final_at is null` (record-outcome.ts) it fails: the late outcome is said to be the
// first.
test("[I7] the first final state stays: a late one changes nothing", async () => {
  const station = await newStation();
  await (await gatewayWith(() => accepted)).hold(station.identity);
  const row = await finalOf(station);
  expect(await recordOutcome(row.command_id, { state: "timeout" })).toBe(false);
  expect(await rowOf(row.command_id)).toEqual(row);
});

test("[C12] the answer that comes after its time changes nothing, and the next command gets its own", async () => {
  const station = await newStation();
  let slow: ((outcome: CommandOutcome) => void) | undefined;
  const gateway = await gatewayWith((command) =>
    command.action === "Reset" ? new Promise((resolve) => (slow = resolve)) : { state: "accepted", response: "{}" },
  );
  await gateway.hold(station.identity);
  const first = await send(station, "Reset", { type: "Soft" }, 20_000);
  await expect.poll(() => gateway.sent.length).toBe(1);
  await recordOutcome(first.commandId, { state: "timeout", reason: "no answer within 30000 ms" });
  await first.settled;
  const second = await send(station, "GetConfiguration", {});
  slow?.(accepted);
  await second.settled;
  expect(await rowOf(first.commandId)).toMatchObject({ status: "timeout", response: null });
  expect(await rowOf(second.commandId)).toMatchObject({ status: "accepted", response: {} });
  expect(await recordOutcome(first.commandId, accepted)).toBe(false);
});

test("[F7] the message id that a gateway sends is the command's own, another one for each command", async () => {
  const station = await newStation();
  const gateway = await gatewayWith(() => accepted);
  await gateway.hold(station.identity);
  const rows = [await finalOf(station), await finalOf(station)];
  expect(gateway.sent.map((command) => command.commandId)).toEqual(rows.map((row) => row.command_id));
  expect(rows[0]?.command_id).not.toBe(rows[1]?.command_id);
});

describe("secrets", () => {
  test("[1.2-not-echoed] a new password is masked in the row and sealed on the channel", async () => {
    const station = await newStation();
    const gateway = await gatewayWith(() => accepted);
    await gateway.hold(station.identity);
    const row = await finalOf(station, "ChangeConfiguration", { key: "AuthorizationKey", value: "top-secret-1234567" });
    expect(row.payload).toEqual({ key: "AuthorizationKey", value: "***" });
    const [heard] = gateway.heard as [CommandMessage];
    expect(JSON.stringify(heard)).not.toContain("top-secret");
    expect(heard.secretPaths).toEqual(["value"]);
    expect(JSON.parse(unseal(secretsKey, sealedPayloadContext(row.command_id), heard.sealedPayload!))).toEqual({
      key: "AuthorizationKey",
      value: "top-secret-1234567",
    });
    const { rows } = await database.pool.query<{ text: string }>(
      "select commands::text as text from commands where id = $1",
      [row.command_id],
    );
    expect(rows[0]?.text).not.toContain("top-secret");
  });
});

test("what breaks its schema is refused with the place, and leaves no row", async () => {
  const station = await newStation();
  const found = await findCommandableStation(sqlOn(database.pool), project.orgId, station.chargePointId);
  const request = { station: found!, requestedBy: "test" };
  expect(await sender.send({ ...request, action: "Reset", payload: { type: "Warm" } })).toMatchObject({
    ok: false,
    error: { kind: "invalid-payload", pointer: "/type" },
  });
  expect(await sender.send({ ...request, action: "Heartbeat", payload: {} })).toMatchObject({
    ok: false,
    error: { kind: "unknown-action" },
  });
  const { rows } = await database.pool.query("select 1 from commands where station_id = $1", [station.id]);
  expect(rows).toEqual([]);
});

test("an answer with \\u0000 in it is kept", async () => {
  const station = await newStation();
  await (
    await gatewayWith(() => ({ state: "accepted", response: '{"status":"Accepted","data":"a\\u0000b"}' }))
  ).hold(station.identity);
  expect((await finalOf(station, "DataTransfer", { vendorId: "x" })).response).toEqual({
    status: "Accepted",
    data: "a\u0000b",
  });
});

// Broken once on purpose: with published commands skipped (sweep-deadlines.ts) it fails: 1 ended for 3; without `final_at
// is null`: 4, and the answered one is "unknown".
test("[I7] commands that nobody followed end past their deadline: unknown if published, else not_connected", async () => {
  const station = await newStation();
  const insert = (id: string, state: string, overdue: string) =>
    database.pool.query(
      `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at)
       values ($1, $2, $3, '1.6', 'Reset', '{}', 'test', $4, now() - $5::interval)`,
      [id, project.orgId, station.id, state, overdue],
    );
  await insert("cmd_published", "published", "1 minute");
  await insert("cmd_sent", "sent", "1 minute");
  await insert("cmd_queued", "queued", "1 minute");
  await insert("cmd_running", "sent", "-1 minute");
  await insert("cmd_answered", "accepted", "1 minute");
  await database.pool.query("update commands set final_at = now() - interval '2 minutes' where id = 'cmd_answered'");
  expect(await endOverdueCommands(database.pool, 100, { log })).toBe(3);
  const ids = ["cmd_published", "cmd_sent", "cmd_queued", "cmd_running", "cmd_answered"];
  const states = await Promise.all(ids.map(async (id) => (await rowOf(id)).status));
  expect(states).toEqual(["unknown", "unknown", "not_connected", "sent", "accepted"]);
});
