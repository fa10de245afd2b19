// The decisions process: what gateways cannot answer by themselves, over gRPC. Several may run.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BadConfiguration, configure } from "@dynamo-csms/proto/process/bad-configuration";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { tellCertificates } from "@dynamo-csms/proto/process/certificate-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { openLog } from "@dynamo-csms/proto/process/open-log";
import { connectionReady, connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { createShutdown, endOnFault, stopOnSignals } from "@dynamo-csms/proto/process/shutdown";
import { collectDefaultMetrics, Registry } from "prom-client";
import { openDataTransferHooks } from "../../data-transfer/open-hooks.ts";
import { openCertificateDecisions } from "../../certificates/certificate-decisions-config.ts";
import { openPool } from "../../database.ts";
import { BoundedWork } from "../../decisions/bounded-work.ts";
import { createDecisionTraces } from "../../decisions/decision-traces.ts";
import { createDecisionsMetrics } from "../../decisions/decisions-metrics.ts";
import { createDecisionsServer } from "../../decisions/decisions-server.ts";
import { tellPools } from "../../operations/pool-metrics.ts";
import { createPostgresCheck } from "../../operations/postgres-check.ts";
import { createEventTraces } from "../../webhooks/event-traces.ts";
import { readConfig } from "./config.ts";

/** CALLs that wait for servers out there at the same moment. */
const OUTSIDE_CONCURRENCY = 32;

const config = configure("decisions", () => readConfig(process.env, (path) => readFileSync(path, "utf8")));
const { log, logLevel, tracing } = await openLog(config, "decisions");
endOnFault(log);
const opened = await openDataTransferHooks(config.dataTransfer);
const dataTransferHooks = configure("decisions", () => {
  if (opened.ok) return opened.value;
  throw new BadConfiguration(opened.error);
});
const pool = openPool(config.databaseUrl, config.postgresConnections, "dynamo decisions");
const redis = connectRedis(config.redis, "commands", { connectionName: "decisions", log });

// As many at once as there are connections; the rest waits in order, about a second's worth.
const work = new BoundedWork({ concurrency: config.postgresConnections, waiting: 2_000 });
// Apart: what waits for responders and providers out there holds up nobody's transactions.
const outsideWork = new BoundedWork({ concurrency: OUTSIDE_CONCURRENCY, waiting: 2 * OUTSIDE_CONCURRENCY });
const certificates = openCertificateDecisions(config.certificates);
const registry = new Registry();
collectDefaultMetrics({ register: registry });
tellBuild(registry, { process: "decisions", version: config.buildVersion });
tellPools(registry, { decisions: pool });
tellCertificates(registry, { decisions: config.tls?.certificate });
const server = createDecisionsServer({
  pool,
  redis,
  work,
  outsideWork,
  certificates,
  heartbeatIntervalSeconds: config.heartbeatIntervalSeconds,
  authCacheSeconds: config.authCacheSeconds,
  dataTransferHooks,
  ...(config.tls === undefined ? {} : { tls: config.tls }),
  metrics: createDecisionsMetrics(registry, () => server.openQuestions),
  ...(tracing && { traces: createDecisionTraces({ tracing, events: createEventTraces({ redis, log }) }) }),
  log,
});

// Redis is not among the checks: without it decisions are made all the same, and the outbox writes the registry later.
const internal = await startInternalServer({
  port: config.internalPort,
  host: config.internalHost,
  checks: { postgres: createPostgresCheck(pool) },
  registry,
  logLevel,
});
// A Redis that is away is not waited for longer: decisions are made without it.
await Promise.race([connectionReady(redis), sleep(2_000)]);
const port = await server.listen(`${config.host}:${config.port}`);

stopOnSignals(
  createShutdown(
    [
      { name: "readiness", run: () => internal.markStopping() },
      { name: "decisions", run: () => server.stop() },
      { name: "DataTransfer hooks", run: () => dataTransferHooks.stop() },
      { name: "OCSP client", run: () => certificates.close() },
      { name: "redis", run: () => redis.disconnect() },
      { name: "postgres", run: () => pool.end() },
      { name: "internal server", run: () => internal.close() },
      { name: "tracing", run: () => tracing?.stop() },
    ],
    config.shutdownDeadlineMs,
    log,
  ),
  log,
);
internal.markReady();
log.info({ port, internalPort: internal.port }, "ready");
