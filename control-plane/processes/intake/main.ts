// The intake process: lanes in Redis → Postgres. Several may run; each lane is drained by one of them at a time.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { openLog } from "@dynamo-csms/proto/process/open-log";
import { connectionReady, connectRedis, redisAnswers } from "@dynamo-csms/proto/process/redis-connection";
import { createShutdown, endOnFault, stopOnSignals } from "@dynamo-csms/proto/process/shutdown";
import { collectDefaultMetrics, Registry } from "prom-client";
import { openPool, sqlOn } from "../../database.ts";
import { createIntakeMetrics } from "../../intake/intake-metrics.ts";
import { createLaneSupervisor, type LaneSupervisor } from "../../intake/supervise-lanes.ts";
import { createBatchTraces } from "../../intake/trace-batches.ts";
import { createEventTraces } from "../../webhooks/event-traces.ts";
import { tellPools } from "../../operations/pool-metrics.ts";
import { createPostgresCheck } from "../../operations/postgres-check.ts";
import { createMeterShapes } from "../../transactions/meter-shapes.ts";
import { readConfig } from "./config.ts";

const config = configure("intake", () =>
  readConfig(process.env, {
    readFile: (path) => readFileSync(path, "utf8"),
    holder: `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}`,
  }),
);
const { log, logLevel, tracing } = await openLog(config, "intake");
endOnFault(log);
const pool = openPool(config.databaseUrl, config.postgresConnections, "dynamo intake");
// Apart from the batches' pool: a batch that waited for a second connection of its own pool could wait for ever.
const shapesPool = openPool(config.databaseUrl, 2, "dynamo intake shapes");
const redis = connectRedis(config.redis, "commands", { connectionName: "intake", log });

const registry = new Registry();
collectDefaultMetrics({ register: registry });
tellBuild(registry, { process: "intake", version: config.buildVersion });
tellPools(registry, { batches: pool, shapes: shapesPool });
let lanes: LaneSupervisor | undefined;
const metrics = createIntakeMetrics(registry, () => lanes?.lagsMs() ?? []);
lanes = createLaneSupervisor({
  pool,
  redis,
  openReader: () => connectRedis(config.redis, "blocking", { connectionName: "intake", log }),
  shapes: createMeterShapes(sqlOn(shapesPool)),
  settings: { logHeartbeats: config.logHeartbeats },
  holder: config.holder,
  replayWindowMs: config.replayWindowMs,
  lingerMs: config.lingerMs,
  metrics,
  ...(tracing && {
    traces: createBatchTraces({ tracing, events: createEventTraces({ redis, log }), nowMs: Date.now }),
  }),
  log,
});
const supervisor = lanes;

const internal = await startInternalServer({
  port: config.internalPort,
  host: config.internalHost,
  checks: {
    redis: () => redisAnswers(redis),
    postgres: createPostgresCheck(pool),
    lanes: async () => supervisor.healthy(),
  },
  registry,
  logLevel,
});

stopOnSignals(
  createShutdown(
    [
      { name: "readiness", run: () => internal.markStopping() },
      // The batches in hand are committed, and the lanes are free for others.
      { name: "lanes", run: () => supervisor.stop() },
      { name: "redis", run: () => redis.disconnect() },
      { name: "postgres", run: () => Promise.all([pool.end(), shapesPool.end()]) },
      { name: "internal server", run: () => internal.close() },
      { name: "tracing", run: () => tracing?.stop() },
    ],
    config.shutdownDeadlineMs,
    log,
  ),
  log,
);

// A Redis that is away is not waited for here: /readyz says so, and the supervisor goes on trying.
await Promise.race([connectionReady(redis), sleep(2_000)]);
supervisor.start();
internal.markReady();
log.info({ port: internal.port, internalPort: internal.port }, "ready");
