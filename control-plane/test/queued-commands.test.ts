// Commands that wait for their station: sent once, in order, when it is connected, and never after their time.

import { randomUUID } from "node:crypto";
import { type CommandMessage, type CommandOutcome, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { parseSecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { cancelWaitingCommands } from "../commands/cancel-command.ts";
import { findCommand } from "../commands/command-answer.ts";
import { createQueuedCommandsWork, createQueuedDelivery, type QueuedDelivery } from "../commands/deliver-queued.ts";
import { DELIVERY_TIMING } from "../commands/deliver-command.ts";
import { createNodeChannel } from "../commands/node-channel.ts";
import { type CommandToQueue, queueCommand } from "../commands/queue-command.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { createCommandSender } from "../commands/send-command.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { dueStations, wakeWaitingCommands } from "../commands/waiting-commands.ts";
import { inTransaction, sqlOn } from "../database.ts";
import { SCOPES } from "../http/route.ts";
import { type Answer, type FakeGateway, startFakeGateway } from "./fake-gateway.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

const REDIS = process.env["TEST_REDIS_URL"] as string;
const secretsKey = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));
const log = pino({ level: "silent" });
const timing = { ...DELIVERY_TIMING, receiptMs: 300, watchMs: 100, movedGraceMs: 200, deafMs: 500 };
const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };

let database: OwnDatabase;
let project: TestProject;
let redis: Redis;
const stops: (() => Promise<void>)[] = [];
const gateways: FakeGateway[] = [];
let delivery: QueuedDelivery;

beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  redis = new Redis(REDIS, { protocol: 2 });
  delivery = await startProcess();
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop();
});
afterAll(async () => {
  for (const stop of stops) await stop();
  redis.disconnect();
  await database.drop();
});

/** What a jobs process has of it. */
async function startProcess(key = secretsKey): Promise<QueuedDelivery> {
  const subscriber = new Redis(REDIS, { protocol: 2 });
  const channel = createNodeChannel({ askerId: `test-${randomUUID()}`, redis, subscriber, log });
  await channel.start();
  const ownerOf = (identity: TestStation["identity"]) => resolveOwner(redis, identity);
  const { pool } = database;
  const sender = createCommandSender({ pool, channel, resolveOwner: ownerOf, secretsKey: key, timing, log });
  stops.push(async () => {
    await sender.stop();
    subscriber.disconnect();
  });
  const { askerId } = channel;
  return createQueuedDelivery({ pool, sender, resolveOwner: ownerOf, secretsKey: key, askerId, log });
}

async function gatewayWith(answer: Answer = () => ACCEPTED): Promise<FakeGateway> {
  const gateway = await startFakeGateway(REDIS, `node-${randomUUID()}`, answer);
  gateways.push(gateway);
  return gateway;
}

async function newStation(registration = "accepted"): Promise<TestStation> {
  const station = await registerStation(database.pool, project, "1.6");
  await database.pool.query("update stations set registration = $2 where id = $1", [station.id, registration]);
  return station;
}

/** As the intake has it when it read that the connection opened. */
const opened = (station: TestStation, epoch: number, version = "1.6") =>
  database.pool.query(
    `insert into station_connections (station_id, epoch, seq, node_id, remote_address, ocpp_version, opened_at)
     values ($1, $2, 1, 'node', '192.0.2.1', $3, now())
     on conflict (station_id) do update set epoch = excluded.epoch, ocpp_version = excluded.ocpp_version, closed_at = null`,
    [station.id, epoch, version],
  );

async function queue(station: TestStation, command: Partial<CommandToQueue> = {}): Promise<string> {
  const wanted: CommandToQueue = {
    stationId: station.id,
    orgId: project.orgId,
    version: "1.6",
    action: "Reset",
    payload: { type: "Soft" },
    requestedBy: "key_operator",
    ...command,
  };
  return (await inTransaction(database.pool, (sql) => queueCommand(sql, wanted, secretsKey))) as string;
}

const stateOf = async (commandId: string) => {
  const { rows } = await database.pool.query<{ state: string }>("select state from commands where id = $1", [
    commandId,
  ]);
  return rows[0]?.state;
};
const answerOf = async (commandId: string) =>
  findCommand(sqlOn(database.pool), { orgId: project.orgId, scopes: SCOPES }, commandId);
/** All that is due now, one after the other. */
async function deliverAll(station: TestStation): Promise<void> {
  for (;;) {
    const sent = await delivery.deliverNext(station.id);
    if (sent === undefined) return;
    await sent.settled;
  }
}
const due = async () => dueStations(sqlOn(database.pool), 1_000);
const agoWoken = () =>
  database.pool.query("update commands set wake_at = now() - interval '1 second' where state = 'queued'");

test("a command waits while its station is away, and is sent when it is connected", async () => {
  const station = await newStation();
  const id = await queue(station);
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  expect(await answerOf(id)).toMatchObject({ status: "queued", deliver: "when_connected" });
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  expect(await answerOf(id)).toMatchObject({ status: "accepted", response: { status: "Accepted" } });
  expect(gateway.sent).toMatchObject([{ commandId: id, action: "Reset", payload: '{"type":"Soft"}' }]);
});

test("two jobs processes send each command once, one at a time", async () => {
  const station = await newStation();
  let open = 0;
  let most = 0;
  const gateway = await gatewayWith(async () => {
    most = Math.max(most, (open += 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    open -= 1;
    return ACCEPTED;
  });
  await gateway.hold(station.identity);
  const ids = [await queue(station), await queue(station), await queue(station), await queue(station)];
  const second = await startProcess();
  await Promise.all(
    [delivery, second, delivery, second].map(async (process) => {
      for (;;) {
        const sent = await process.deliverNext(station.id);
        await sent?.settled;
        if ((await Promise.all(ids.map(stateOf))).every((state) => state === "accepted")) return;
      }
    }),
  );
  expect(gateway.sent.map((command) => command.commandId)).toEqual(ids);
  expect(most).toBe(1);
});

test("operators' commands go before the control plane's own, each in their order", async () => {
  const station = await newStation();
  const report = await queue(station, { requestedBy: "system:base-report", action: "ClearCache", payload: {} });
  const ids = [await queue(station), await queue(station)];
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await deliverAll(station);
  expect(gateway.sent.map((command) => command.commandId)).toEqual([...ids, report]);
});

test("what a connection did not take waits for the next one, and is sent once", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  gateway.unwilling = "the connection is gone";
  await gateway.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  expect(await answerOf(id)).toMatchObject({ status: "queued", sent_at: null });
  // The same connection is not asked again, however often somebody looks.
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  const next = await gatewayWith();
  await next.hold(station.identity);
  await deliverAll(station);
  expect(await stateOf(id)).toBe("accepted");
  expect([gateway.heard.length, gateway.sent.length, next.sent.length]).toEqual([1, 0, 1]);
});

test("the word that it was not sent comes twice, on the channel and through the lane: it goes on waiting", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  gateway.unwilling = "the connection is gone";
  const epoch = await gateway.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  for (const state of ["not_connected", "unknown"] as const) {
    const again = { commandId: id, outcome: { state }, at: new Date(), epoch };
    expect(await inTransaction(database.pool, (sql) => recordCommandOutcome(sql, again, { log }))).toBe(false);
  }
  expect(await stateOf(id)).toBe("queued");
  const next = await gatewayWith();
  await next.hold(station.identity);
  await deliverAll(station);
  expect(await stateOf(id)).toBe("accepted");
});

test("a command that is claimed for the next connection meanwhile is not put back by those who meant the former one", async () => {
  const station = await newStation();
  const id = await queue(station);
  const gateway = await gatewayWith();
  const epoch = await gateway.hold(station.identity);
  await opened(station, epoch, "2.0.1");
  const other = await database.pool.connect();
  try {
    // Another process, with the word of the connection that came next, is about to commit its claim.
    await other.query("begin");
    await other.query("update commands set state = 'published', node_id = 'next', epoch = $2 where id = $1", [
      id,
      epoch + 1,
    ]);
    const stale = delivery.deliverNext(station.id);
    await expect
      .poll(async () => (await database.pool.query("select 1 from pg_locks where not granted")).rowCount)
      .toBeGreaterThan(0);
    await other.query("commit");
    expect(await stale).toBeUndefined();
  } finally {
    other.release();
  }
  expect(await stateOf(id)).toBe("published");
});

test("a process that follows as many commands as it may claims no more, and looks again soon", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  const id = await queue(station);
  const busy = createQueuedDelivery({
    pool: database.pool,
    sender: { full: true, follow: () => Promise.reject(new Error("it follows no more")) },
    resolveOwner: (identity) => resolveOwner(redis, identity),
    secretsKey,
    askerId: "test-busy",
    log,
  });
  await agoWoken();
  expect(await busy.deliverNext(station.id)).toBeUndefined();
  expect(await stateOf(id)).toBe("queued");
  const { rows } = await database.pool.query<{ soon: boolean }>(
    "select wake_at between now() and now() + interval '10 seconds' as soon from commands where id = $1",
    [id],
  );
  expect(rows).toEqual([{ soon: true }]);
});

test("[1.7.3] the late word of a former connection changes nothing for the attempt on the next one", async () => {
  const station = await newStation();
  const first = await gatewayWith();
  first.unwilling = "the connection is gone";
  const epoch = await first.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  const second = await gatewayWith(() => undefined);
  await second.hold(station.identity);
  const sent = await delivery.deliverNext(station.id);
  await expect.poll(() => second.sent.length).toBe(1);
  const late = { commandId: id, outcome: { state: "not_connected" } as const, at: new Date(), epoch };
  expect(await inTransaction(database.pool, (sql) => recordCommandOutcome(sql, late, { log }))).toBe(false);
  expect(await stateOf(id)).toBe("sent");
  const known = { commandId: id, outcome: ACCEPTED, at: new Date() };
  expect(await inTransaction(database.pool, (sql) => recordCommandOutcome(sql, known, { log }))).toBe(true);
  await sent?.settled;
});

test("past its time a command is not sent any more, and ends as not_connected", async () => {
  const station = await newStation();
  const id = await queue(station);
  await database.pool.query(
    "update commands set valid_until = now() - interval '10 seconds', deadline_at = now() - interval '10 seconds' where id = $1",
    [id],
  );
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  await endOverdueCommands(database.pool, 100, { log });
  expect(await answerOf(id)).toMatchObject({
    status: "not_connected",
    reason: "the charge point did not connect in time",
  });
  expect(gateway.heard).toEqual([]);
});

test("a process that dies right behind the claim leaves a command that ends as unknown, and the queue goes on", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  const epoch = await gateway.hold(station.identity);
  const [lost, next] = [await queue(station), await queue(station)];
  await database.pool.query(
    "update commands set state = 'published', node_id = 'dead', epoch = $2, deadline_at = now() - interval '1 minute' where id = $1",
    [lost, epoch],
  );
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  await endOverdueCommands(database.pool, 100, { log });
  expect(await stateOf(lost)).toBe("unknown");
  await deliverAll(station);
  expect(gateway.sent.map((command) => command.commandId)).toEqual([next]);
});

test.each([
  ["[1.4-rejected] a rejected station gets nothing", "rejected", "Reset", { type: "Soft" }, 0],
  ["one that never booted gets nothing", "unknown", "Reset", { type: "Soft" }, 0],
  ["[1.4-pending] a pending one is asked", "pending", "Reset", { type: "Soft" }, 1],
  ["[1.4-pending] and its sessions are left alone", "pending", "RemoteStopTransaction", { transactionId: 7 }, 0],
])("%s", async (_, registration, action, payload, times) => {
  const station = await newStation(registration);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await queue(station, { action, payload });
  await deliverAll(station);
  expect(gateway.sent).toHaveLength(times);
});

test("not before its time, and not twice with the same key while one waits", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  const later = await queue(station, { notBefore: new Date(Date.now() + 60_000), dedupeKey: "report" });
  expect(await queue(station, { dedupeKey: "report" })).toBeUndefined();
  await deliverAll(station);
  expect([await stateOf(later), gateway.sent.length]).toEqual(["queued", 0]);
  await database.pool.query("update commands set not_before = now() where id = $1", [later]);
  await deliverAll(station);
  expect(await stateOf(later)).toBe("accepted");
  expect(await queue(station, { dedupeKey: "report" })).toBeDefined();
});

test("[1.2-not-echoed] a secret waits sealed, and goes out sealed", async () => {
  const station = await newStation();
  const payload = { key: "AuthorizationKey", value: "00112233445566778899" };
  const id = await queue(station, { action: "ChangeConfiguration", payload });
  const { rows } = await database.pool.query<{ row: string }>("select c::text as row from commands c where id = $1", [
    id,
  ]);
  expect(rows[0]?.row).not.toContain(payload.value);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await deliverAll(station);
  const [heard] = gateway.heard as [CommandMessage];
  expect(heard).toMatchObject({ secretPaths: ["value"] });
  expect(heard.payload).toBeUndefined();
  expect(JSON.parse(unseal(secretsKey, sealedPayloadContext(id), heard.sealedPayload!))).toEqual(payload);
});

test("a secret that was sealed with another key ends as not_connected, for nothing was sent; the queue goes on", async () => {
  const station = await newStation();
  const id = await queue(station, {
    action: "ChangeConfiguration",
    payload: { key: "AuthorizationKey", value: "0011223344556677" },
  });
  const next = await queue(station);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await opened(station, 1);
  const withAnotherKey = await startProcess(parseSecretsKey(Buffer.alloc(32, 8).toString("base64")));
  expect(await withAnotherKey.deliverNext(station.id)).toBeUndefined();
  expect(await answerOf(id)).toMatchObject({
    status: "not_connected",
    reason: expect.stringContaining("SECRETS_KEY"),
    sent_at: null,
  });
  expect(gateway.heard).toEqual([]);
  await agoWoken();
  expect(await due()).toContain(station.id);
  await (
    await withAnotherKey.deliverNext(station.id)
  )?.settled;
  expect([await stateOf(next), gateway.sent.map((sent) => sent.commandId)]).toEqual(["accepted", [next]]);
});

test("a station that came back with another OCPP version cannot get what was planned for the former one", async () => {
  const station = await newStation();
  const id = await queue(station);
  const gateway = await gatewayWith();
  await opened(station, await gateway.hold(station.identity), "2.0.1");
  await deliverAll(station);
  expect(await answerOf(id)).toMatchObject({ status: "not_connected", reason: expect.stringContaining("version") });
  expect(gateway.heard).toEqual([]);
});

test("what waits for a unit that was replaced or retired is not for the next one", async () => {
  const station = await newStation();
  const [mine, other] = [await queue(station), await queue(await newStation())];
  await inTransaction(database.pool, (sql) => cancelWaitingCommands(sql, station.id, "the hardware was replaced"));
  expect(await answerOf(mine)).toMatchObject({ status: "not_connected", reason: "the hardware was replaced" });
  expect(await stateOf(other)).toBe("queued");
});

test("the sweep puts the commands of stations that are away aside, and a connection brings them back", async () => {
  const [away, here] = [await newStation(), await newStation()];
  await opened(here, 1);
  for (const station of [away, here]) await queue(station);
  await agoWoken();
  expect(await due()).toContain(here.id);
  await agoWoken();
  const second = await due();
  expect([second.includes(away.id), second.includes(here.id)]).toEqual([false, true]);
  // Aside: found by no sweep until its connection opens.
  await opened(away, 1);
  expect(await due()).not.toContain(away.id);
  await wakeWaitingCommands(sqlOn(database.pool), [away.id]);
  expect(await due()).toContain(away.id);
});

test("the work sends what is due and wakes itself for what follows", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await opened(station, await gateway.hold(station.identity));
  const ids = [await queue(station), await queue(station), await queue(station)];
  await agoWoken();
  const work = createQueuedCommandsWork({
    pool: database.pool,
    delivery,
    wakeUps: { wake: (_work, id) => void work.run(id) },
  });
  expect(await work.due(1_000)).toContain(station.id);
  await work.run(station.id);
  await expect.poll(() => Promise.all(ids.map(stateOf))).toEqual(["accepted", "accepted", "accepted"]);
  expect(gateway.sent.map((command) => command.commandId)).toEqual(ids);
});
