import { randomUUID } from "node:crypto";
import type { CommandMessage, CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { createCommandMetrics } from "../commands/command-metrics.ts";
import { DELIVERY_TIMING } from "../commands/deliver-command.ts";
import { createNodeChannel } from "../commands/node-channel.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { createCommandSender } from "../commands/send-command.ts";
import { awaitIntake } from "../commissioning/await-intake.ts";
import type { CheckDeadlines } from "../commissioning/advance-checks.ts";
import type { CheckName } from "../commissioning/check-scene.ts";
import { toCheckAnswer } from "../commissioning/commissioning-answer.ts";
import { findCommissioning, loadChecks } from "../commissioning/commissioning-rows.ts";
import { createCommissioningWork, wakeAgain } from "../commissioning/commissioning-work.ts";
import { startCommissioning, type StartRequest } from "../commissioning/start-commissioning.ts";
import { createConnectionDiagnosis } from "../connection-attempts/diagnose-connection.ts";
import { sqlOn } from "../database.ts";
import { createJobMetrics } from "../jobs/job-metrics.ts";
import { createJobRunner } from "../jobs/job-runner.ts";
import { createWakeUps } from "../jobs/wake-ups.ts";
import { recordFrames } from "../message-log/record-frames.ts";
import { recordBoots } from "../stations/record-boot.ts";
import { recordConnections } from "../stations/record-connection.ts";
import { recordSeen } from "../stations/record-seen.ts";
import { type FakeGateway, startFakeGateway } from "./fake-gateway.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";

const log = pino({ level: process.env["TEST_LOG"] ?? "silent" });
const DEADLINES: CheckDeadlines = {
  ocpp_connection: 20_000,
  heartbeat: 20_000,
  meter_calibration: 20_000,
  firmware_version: 20_000,
};

export const accepted = (): CommandOutcome => ({ state: "accepted", response: '{"status":"Accepted"}' });
export const rejected = (status: string): CommandOutcome => ({
  state: "rejected",
  response: JSON.stringify({ status }),
});

/** A station on a fake gateway: what it says is filed as the intake would, by the intake's own functions. */
export interface LiveStation extends TestStation {
  gateway: FakeGateway;
  /** Opens a connection on its gateway, or on another one. */
  connect(gateway?: FakeGateway): Promise<void>;
  boot(firmwareVersion: string | null): Promise<void>;
  heartbeat(): Promise<void>;
  /** Messages with the energy register; null: with the voltage only. */
  meterValues(wattHours: number | null): Promise<void>;
}

export interface JobsProcess {
  stop(): Promise<void>;
}

/** One database, one Redis prefix, any number of jobs "processes" and gateways. */
export async function startCommissioningWorld() {
  const redisUrl = process.env["TEST_REDIS_URL"] as string;
  const database: OwnDatabase = await createOwnDatabase();
  const { pool } = database;
  const sql = sqlOn(pool);
  const project: TestProject = await createProject(pool);
  const redis = new Redis(redisUrl, { protocol: 2 });
  const prefix = `{test:${randomUUID()}}`;
  const wakeUps = createWakeUps({ redis, prefix, log });
  const ownerOf = (identity: StationIdentity) => resolveOwner(redis, identity);
  const diagnose = createConnectionDiagnosis({ redis, publicOcppUrl: "wss://ocpp.example.org" });
  const running: { stop(): Promise<void> }[] = [];

  async function startJobs(deadlinesMs: Partial<CheckDeadlines> = {}): Promise<JobsProcess> {
    const subscriber = new Redis(redisUrl, { protocol: 2 });
    const workerRedis = new Redis(redisUrl, { protocol: 2, maxRetriesPerRequest: null });
    const channel = createNodeChannel({ askerId: `jobs-${randomUUID()}`, redis, subscriber, log });
    await channel.start();
    const secretsKey = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));
    const sender = createCommandSender({
      pool,
      channel,
      resolveOwner: ownerOf,
      secretsKey,
      timing: { ...DELIVERY_TIMING, watchMs: 200, movedGraceMs: 300 },
      metrics: createCommandMetrics(new Registry()),
      log,
    });
    const ownWakeUps = createWakeUps({ redis, prefix, log });
    const settings = { deadlinesMs: { ...DEADLINES, ...deadlinesMs } };
    const work = createCommissioningWork({
      pool,
      resolveOwner: ownerOf,
      sender,
      diagnose,
      wakeUps: ownWakeUps,
      settings,
      log,
    });
    const runner = createJobRunner({
      works: [work],
      wakeUps: ownWakeUps,
      redis: workerRedis,
      prefix,
      sweepMs: 300,
      metrics: createJobMetrics(new Registry()),
      log,
    });
    runner.start();
    let stopped: Promise<void> | undefined;
    const jobs: JobsProcess = {
      stop: () =>
        (stopped ??= (async () => {
          await runner.stop();
          await sender.stop();
          await ownWakeUps.close();
          await channel.stop();
          subscriber.disconnect();
          workerRedis.disconnect();
        })()),
    };
    running.push(jobs);
    return jobs;
  }

  async function newGateway(
    answer: (command: CommandMessage) => CommandOutcome | undefined | Promise<CommandOutcome | undefined>,
  ): Promise<FakeGateway> {
    const gateway = await startFakeGateway(redisUrl, `node-${randomUUID()}`, answer);
    running.push(gateway);
    return gateway;
  }

  /** @param answer what the station does when it is asked; by default it does as it is told. */
  async function newStation(
    version: OcppVersion,
    answer?: (station: LiveStation, message: string) => Promise<CommandOutcome | undefined>,
  ): Promise<LiveStation> {
    const registered = await registerStation(pool, project, version);
    let epoch = 0;
    let seq = 0;
    let wattHours = 10_000;
    const logFrame = async (action: string, payload: unknown) =>
      recordFrames(sql, [
        {
          stationId: registered.id,
          epoch,
          seq: (seq += 1),
          receivedAt: new Date(),
          direction: "inbound",
          flagged: false,
          action,
          messageId: String(seq),
          raw: JSON.stringify([2, String(seq), action, payload]),
          answer: null,
        },
      ]);
    const known = {
      id: registered.id,
      chargePointId: registered.chargePointId,
      orgId: project.orgId,
      projectId: project.projectId,
    };
    const station: LiveStation = {
      ...registered,
      gateway: undefined as unknown as FakeGateway,
      async connect(gateway = station.gateway) {
        station.gateway = gateway;
        epoch = await gateway.hold(registered.identity);
        await recordConnections(sql, [
          {
            kind: "opened",
            station: known,
            epoch,
            seq: (seq = 1),
            at: new Date(epoch),
            nodeId: gateway.nodeId,
            remoteAddress: "192.0.2.1",
            listener: null,
            ocppVersion: version,
            notes: [],
          },
        ]);
      },
      boot: (firmwareVersion) =>
        recordBoots(sql, [
          {
            stationId: registered.id,
            vendor: "V",
            model: "M",
            serialNumber: null,
            firmwareVersion,
            reason: null,
            payload: "{}",
            bootedAt: new Date(),
            epoch,
            seq: (seq += 1),
          },
        ]),
      heartbeat: () =>
        recordSeen(sql, [{ stationId: registered.id, lastSeenAt: new Date(), lastHeartbeatAt: new Date() }]),
      async meterValues(value) {
        const measurand =
          value === null ? { measurand: "Voltage", unit: "V" } : { measurand: "Energy.Active.Import.Register" };
        const sampled = {
          timestamp: new Date().toISOString(),
          sampledValue: [{ ...measurand, value: version === "1.6" ? String(value ?? 230) : (value ?? 230) }],
        };
        await logFrame(
          "MeterValues",
          version === "1.6" ? { connectorId: 1, meterValue: [sampled] } : { evseId: 1, meterValue: [sampled] },
        );
      },
    };
    station.gateway = await newGateway(async (command) => {
      const message = (JSON.parse(command.payload as string) as { requestedMessage: string }).requestedMessage;
      if (answer !== undefined) return answer(station, message);
      if (message === "Heartbeat") await station.heartbeat();
      if (message === "BootNotification") await station.boot("9.9.9");
      if (message === "MeterValues") await station.meterValues((wattHours += 1));
      return accepted();
    });
    return station;
  }

  async function start(
    station: TestStation,
    options: Partial<StartRequest> = {},
    deadlinesMs: Partial<CheckDeadlines> = {},
  ) {
    const request = {
      installerId: project.installerId,
      chargePointId: station.chargePointId,
      connectivityTest: undefined,
      meterCalibration: undefined,
      notes: undefined,
      ...options,
    };
    const started = await startCommissioning(request, {
      pool,
      resolveOwner: ownerOf,
      awaitIntake: (owner) => awaitIntake({ redis, sql }, owner),
      diagnose,
      settings: { deadlinesMs: { ...DEADLINES, ...deadlinesMs } },
    });
    if (started.ok) wakeAgain(wakeUps, started.value);
    return started;
  }

  /** Where a station's commissioning stands now. */
  async function standing(station: TestStation) {
    const commissioning = await findCommissioning(sql, { stationId: station.id }, "read");
    if (commissioning === undefined) throw new Error("not started");
    const checks = (await loadChecks(sql, commissioning.id)).map(toCheckAnswer);
    const check = (name: CheckName) => checks.find((one) => one.name === name);
    return {
      ...commissioning,
      checks,
      check,
      statuses: Object.fromEntries(checks.map((one) => [one.name, one.status])),
    };
  }

  const eventsOf = async (commissioningId: string): Promise<string[]> => {
    const rows = await sql.query<{ type: string }>(
      "select type from events where data->>'commissioning_id' = $1 order by id",
      [commissioningId],
    );
    return rows.map((row) => row.type).sort();
  };
  /** What the newest event of this type told. */
  const eventData = async (commissioningId: string, type: string): Promise<unknown> => {
    const [row] = await sql.query<{ data: unknown }>(
      "select data from events where data->>'commissioning_id' = $1 and type = $2 order by recorded_at desc limit 1",
      [commissioningId, type],
    );
    return row?.data;
  };

  return {
    pool,
    sql,
    project,
    redis,
    wakeUps,
    ownerOf,
    settings: { deadlinesMs: DEADLINES },
    startJobs,
    newGateway,
    newStation,
    start,
    standing,
    eventsOf,
    eventData,
    async close() {
      for (const part of running.reverse()) await part.stop();
      await wakeUps.close();
      const keys = await redis.keys(`${prefix.replace(/[{}]/g, "?")}*`);
      if (keys.length > 0) await redis.del(...keys);
      redis.disconnect();
      await database.drop();
    },
  };
}
