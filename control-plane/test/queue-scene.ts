import { randomUUID } from "node:crypto";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { findCommand } from "../commands/command-answer.ts";
import { createCommandMetrics } from "../commands/command-metrics.ts";
import { DELIVERY_TIMING } from "../commands/deliver-command.ts";
import { createQueuedDelivery, type QueuedDelivery } from "../commands/deliver-queued.ts";
import { createNodeChannel } from "../commands/node-channel.ts";
import { type CommandToQueue, queueCommand } from "../commands/queue-command.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { createCommandSender } from "../commands/send-command.ts";
import { dueStations } from "../commands/waiting-commands.ts";
import { inTransaction, sqlOn } from "../database.ts";
import { SCOPES } from "../http/route.ts";
import { type Answer, type FakeGateway, startFakeGateway } from "./fake-gateway.ts";
import { createOwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestStation } from "./registered-station.ts";

export const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };

/** A database with a project, jobs processes that deliver its queued commands, and gateways that hold its stations. */
export async function startQueueScene() {
  const redisUrl = process.env["TEST_REDIS_URL"] as string;
  const secretsKey = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));
  const log = pino({ level: "silent" });
  const timing = { ...DELIVERY_TIMING, receiptMs: 300, watchMs: 100, movedGraceMs: 200, deafMs: 500 };
  const database = await createOwnDatabase();
  const { pool } = database;
  const project = await createProject(pool);
  const redis = new Redis(redisUrl, { protocol: 2 });
  const stops: (() => Promise<void>)[] = [];
  const gateways: FakeGateway[] = [];
  const delivery = await startProcess();

  /** What a jobs process has of it. */
  async function startProcess(key = secretsKey): Promise<QueuedDelivery> {
    const subscriber = new Redis(redisUrl, { protocol: 2 });
    const channel = createNodeChannel({ askerId: `test-${randomUUID()}`, redis, subscriber, log });
    await channel.start();
    const ownerOf = (identity: TestStation["identity"]) => resolveOwner(redis, identity);
    const metrics = createCommandMetrics(new Registry());
    const sender = createCommandSender({ pool, channel, resolveOwner: ownerOf, secretsKey: key, timing, metrics, log });
    stops.push(async () => {
      await sender.stop();
      subscriber.disconnect();
    });
    const { askerId } = channel;
    return createQueuedDelivery({ pool, sender, resolveOwner: ownerOf, secretsKey: key, askerId, metrics, log });
  }

  /** A gateway that is stopped at the end of the test. */
  async function gatewayWith(answer: Answer = () => ACCEPTED): Promise<FakeGateway> {
    const gateway = await startFakeGateway(redisUrl, `node-${randomUUID()}`, answer);
    gateways.push(gateway);
    return gateway;
  }

  async function newStation(registration = "accepted"): Promise<TestStation> {
    const station = await registerStation(pool, project, "1.6");
    await pool.query("update stations set registration = $2 where id = $1", [station.id, registration]);
    return station;
  }

  /** As the intake has it when it read that the connection opened. */
  const opened = (station: TestStation, epoch: number, version = "1.6") =>
    pool.query(
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
    return (await inTransaction(pool, (sql) => queueCommand(sql, wanted, secretsKey))) as string;
  }

  const stateOf = async (commandId: string) => {
    const { rows } = await pool.query<{ state: string }>("select state from commands where id = $1", [commandId]);
    return rows[0]?.state;
  };
  const answerOf = async (commandId: string) =>
    findCommand(sqlOn(pool), { orgId: project.orgId, scopes: SCOPES }, commandId);
  /** All that is due now, one after the other. */
  async function deliverAll(station: TestStation): Promise<void> {
    for (;;) {
      const sent = await delivery.deliverNext(station.id);
      if (sent === undefined) return;
      await sent.settled;
    }
  }
  const due = async () => dueStations(sqlOn(pool), 1_000);
  const agoWoken = () => pool.query("update commands set wake_at = now() - interval '1 second' where state = 'queued'");

  return {
    secretsKey,
    log,
    pool,
    redis,
    delivery,
    startProcess,
    gatewayWith,
    newStation,
    opened,
    queue,
    stateOf,
    answerOf,
    deliverAll,
    due,
    agoWoken,
    /** To be called after each test. */
    async endTest(): Promise<void> {
      for (const gateway of gateways.splice(0)) await gateway.stop();
    },
    async close(): Promise<void> {
      for (const stop of stops) await stop();
      redis.disconnect();
      await database.drop();
    },
  };
}
