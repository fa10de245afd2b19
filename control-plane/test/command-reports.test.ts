import { randomUUID } from "node:crypto";
import {
  COMMAND_FORMAT,
  type CommandMessage,
  type CommandReport,
  decodeNodeMessage,
  encodeCommandReport,
} from "@dynamo-csms/proto/command-message";
import { askerReports, nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { findCommand } from "../commands/command-answer.ts";
import { createCommandMetrics } from "../commands/command-metrics.ts";
import { DELIVERY_TIMING } from "../commands/deliver-command.ts";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import { createNodeChannel, type NodeChannel } from "../commands/node-channel.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { type CommandSender, createCommandSender } from "../commands/send-command.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { sqlOn } from "../database.ts";
import { SCOPES } from "../http/route.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

// Reports that come late, and clocks that do not agree. The gateway's words are the test's, said on a real Redis.

const REDIS = process.env["TEST_REDIS_URL"] as string;
const HOUR_MS = 3_600_000;

let database: OwnDatabase;
let project: TestProject;
let channel: NodeChannel;
let sender: CommandSender;
const connections: Redis[] = [];
const connect = () => {
  const connection = new Redis(REDIS, { protocol: 2 });
  connections.push(connection);
  return connection;
};
let redis: Redis;
const log = pino({ level: "silent" });

beforeAll(async () => {
  database = await createOwnDatabase();
  project = await createProject(database.pool);
  redis = connect();
  channel = createNodeChannel({ askerId: `test-${randomUUID()}`, redis, subscriber: connect(), log });
  await channel.start();
  sender = createCommandSender({
    pool: database.pool,
    channel,
    resolveOwner: (identity) => resolveOwner(redis, identity),
    secretsKey: parseSecretsKey(Buffer.alloc(32, 7).toString("base64")),
    timing: { ...DELIVERY_TIMING, receiptMs: 300 },
    metrics: createCommandMetrics(new Registry()),
    log,
  });
});
afterEach(() => void vi.useRealTimers());
afterAll(async () => {
  await sender.stop();
  await channel.stop();
  for (const connection of connections) connection.disconnect();
  await database.drop();
});

type Say = (
  ...bodies: ({ kind: "received" | "notHere" } | Pick<CommandReport & { kind: "outcome" }, "kind" | "outcome">)[]
) => Promise<void>;

/** A node that holds the station and says what the test wants of the n-th publication of a command. */
async function nodeThatSays(station: TestStation, onCommand: (nth: number, say: Say) => Promise<void>) {
  const nodeId = `node-${randomUUID()}`;
  await redis.hset(stationOwner(station.identity), { node: nodeId, epoch: 5 });
  await redis.set(nodeLease(nodeId), "{}", "PX", 60_000);
  const heard: CommandMessage[] = [];
  const subscriber = connect();
  subscriber.on("smessage", (_channel: string, text: string) => {
    const message = decodeNodeMessage(text);
    if (!message.ok || message.value.kind !== "command") return;
    const command = message.value;
    heard.push(command);
    void onCommand(heard.length, async (...bodies) => {
      for (const body of bodies)
        await redis.spublish(
          askerReports(command.askerId),
          encodeCommandReport({
            v: COMMAND_FORMAT,
            commandId: command.commandId,
            nodeId,
            epoch: command.epoch,
            ...body,
          } as CommandReport),
        );
    });
  });
  await subscriber.ssubscribe(nodeCommands(nodeId));
  return heard;
}

async function send(station: TestStation, callTimeoutMs = 5_000) {
  const found = await findCommandableStation(sqlOn(database.pool), project.orgId, station.chargePointId);
  const sent = await sender.send({
    station: found!,
    action: "Reset",
    payload: { type: "Soft" },
    requestedBy: "test",
    callTimeoutMs,
  });
  if (!sent.ok) throw new Error(JSON.stringify(sent.error));
  return sent.value;
}
const statusOf = async (commandId: string) =>
  (await findCommand(sqlOn(database.pool), { orgId: project.orgId, scopes: SCOPES }, commandId))!.status;

test('a late "not here" is overtaken by the receipt of the next publication', async () => {
  const station = await registerStation(database.pool, project, "1.6");
  const heard = await nodeThatSays(station, async (nth, say) => {
    if (nth !== 2) return;
    // The word on the first publication, late; then the word on this one. The station leaves while it works.
    await redis.hdel(stationOwner(station.identity), "node");
    await say({ kind: "notHere" }, { kind: "received" });
    await say({ kind: "outcome", outcome: { state: "accepted", response: '{"status":"Accepted"}' } });
  });
  const sent = await send(station);
  await sent.settled;
  expect(await statusOf(sent.commandId)).toBe("accepted");
  expect(heard).toHaveLength(2);
});

test('a "not here" that nothing follows is believed, also after a report that was lost', async () => {
  const station = await registerStation(database.pool, project, "1.6");
  await nodeThatSays(station, async (nth, say) => {
    if (nth !== 2) return;
    await redis.hdel(stationOwner(station.identity), "node");
    await say({ kind: "notHere" });
  });
  const sent = await send(station);
  await sent.settled;
  expect(await statusOf(sent.commandId)).toBe("not_connected");
});

test("a command of a process whose clock is behind is not overdue when it is written, and says how long it may wait", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  let finish: Say | undefined;
  const heard = await nodeThatSays(station, async (_, say) => {
    finish = say;
    await say({ kind: "received" });
  });
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.now() - HOUR_MS);
  const sent = await send(station, 20_000);
  await expect.poll(() => heard.length).toBe(1);
  expect(await endOverdueCommands(database.pool, 10, { log })).toBe(0);
  expect(heard[0]?.validForMs).toBeGreaterThan(0);
  expect(heard[0]?.validForMs).toBeLessThanOrEqual(20_000);
  await finish?.({ kind: "outcome", outcome: { state: "accepted" } });
  await sent.settled;
  expect(await statusOf(sent.commandId)).toBe("accepted");
});
