// The api process: REST for installers and operators. Several may run behind one address.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { tellCertificates } from "@dynamo-csms/proto/process/certificate-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { openLog } from "@dynamo-csms/proto/process/open-log";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { createShutdown, endOnFault, stopOnSignals } from "@dynamo-csms/proto/process/shutdown";
import { collectDefaultMetrics, Registry } from "prom-client";
import { openOrm, openPool } from "../../database.ts";
import { tellPools } from "../../operations/pool-metrics.ts";
import { createPostgresCheck } from "../../operations/postgres-check.ts";
import { composeApi } from "./compose.ts";
import { readConfig } from "./config.ts";
import { ENTITIES } from "./entities.ts";

const config = configure("api", () => readConfig(process.env, (path) => readFileSync(path, "utf8")));
const { log, logLevel, tracing } = await openLog(config, "api");
endOnFault(log);
// Half of the connections for domain code, half for the rest: neither can starve the other.
const half = Math.ceil(config.postgresConnections / 2);
const orm = await openOrm(config.databaseUrl, ENTITIES, half);
const pool = openPool(config.databaseUrl, half, "dynamo api");
const redis = connectRedis(config.redis, "commands", { connectionName: "api", log });
const subscriber = connectRedis(config.redis, "subscriber", { connectionName: "api", log });
const registry = new Registry();
collectDefaultMetrics({ register: registry });
tellBuild(registry, { process: "api", version: config.buildVersion });
tellPools(registry, { requests: pool });
tellCertificates(registry, { pdf_signing: config.pdfSigner.notAfter });
const api = await composeApi(config, { orm, pool, redis, subscriber, tracing }, registry, log);

// Redis is not among the checks: without it accounts, projects and registrations still work, and commands say why they do not.
const internal = await startInternalServer({
  port: config.internalPort,
  host: config.internalHost,
  checks: { postgres: createPostgresCheck(pool) },
  registry,
  logLevel,
});
const port = await api.server.listen(config.port, config.host);
// A Redis that is away is not waited for longer: what needs it says so.
await Promise.race([api.start(), sleep(2_000, undefined, { ref: false })]);

stopOnSignals(
  createShutdown(
    [
      { name: "readiness", run: () => internal.markStopping() },
      { name: "http", run: () => api.server.close() },
      { name: "commands and wake-ups", run: () => api.stop() },
      { name: "redis", run: () => [redis, subscriber].forEach((connection) => connection.disconnect()) },
      { name: "postgres", run: () => Promise.all([orm.close(), pool.end()]) },
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
