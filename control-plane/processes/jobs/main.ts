// The jobs process: commissioning, webhooks, mail and the periodic sweeps. Postgres holds the work, BullMQ wakes it. Several may run.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { openLog } from "@dynamo-csms/proto/process/open-log";
import { connectRedis, redisAnswers } from "@dynamo-csms/proto/process/redis-connection";
import { createShutdown, endOnFault, stopOnSignals } from "@dynamo-csms/proto/process/shutdown";
import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { collectDefaultMetrics, Registry } from "prom-client";
import { askForRenewals } from "../../certificates/ask-for-renewals.ts";
import { createIssueWork } from "../../certificates/issue-work.ts";
import { createRevocationWork } from "../../certificates/revocation-work.ts";
import { createCommandMetrics } from "../../commands/command-metrics.ts";
import { DELIVERY_TIMING } from "../../commands/deliver-command.ts";
import { createQueuedCommandsWork, createQueuedDelivery } from "../../commands/deliver-queued.ts";
import { createOldCommandsSweep } from "../../commands/forget-old-commands.ts";
import { createNodeChannel } from "../../commands/node-channel.ts";
import { resolveOwner } from "../../commands/resolve-owner.ts";
import { createCommandSender } from "../../commands/send-command.ts";
import { afterCatchingUp, endOverdueCommands } from "../../commands/sweep-deadlines.ts";
import { createCommissioningWork } from "../../commissioning/commissioning-work.ts";
import { createConnectionDiagnosis } from "../../connection-attempts/diagnose-connection.ts";
import { advancePasswordChanges } from "../../credentials/send-password-change.ts";
import { openPool, sqlOn } from "../../database.ts";
import { forgetSetAside } from "../../dead-letters/forget-set-aside.ts";
import { forgetOldReports } from "../../station-items/forget-old-reports.ts";
import { forgetExpiredRows } from "../../http/forget-expired-rows.ts";
import { createJobMetrics } from "../../jobs/job-metrics.ts";
import { createJobRunner } from "../../jobs/job-runner.ts";
import { createPeriodicSweeps } from "../../jobs/periodic-sweeps.ts";
import { createWakeUps } from "../../jobs/wake-ups.ts";
import { createMailMetrics } from "../../mail/mail-metrics.ts";
import { createMailWork } from "../../mail/send-mail.ts";
import { openSmtp } from "../../mail/smtp-transport.ts";
import { createBacklogMetrics, createBacklogReader } from "../../operations/backlog-metrics.ts";
import { tellPools } from "../../operations/pool-metrics.ts";
import { createPostgresCheck } from "../../operations/postgres-check.ts";
import { carryOutErasures } from "../../personal-data/erasures.ts";
import { keepPartitions, type PartitionedTable } from "../../retention/time-partitions.ts";
import { fanOutQuirks, forgetOldCounters } from "../../quirks/fan-out-quirks.ts";
import { tellUntoldSessions } from "../../sessions/tell-untold-sessions.ts";
import { relayRegistryOutbox } from "../../stations/registry-outbox.ts";
import { tellDueDisconnects } from "../../stations/tell-disconnects.ts";
import { askTransactionStatus } from "../../transactions/ask-transaction-status.ts";
import { createDeliveryWork } from "../../webhooks/deliver-event.ts";
import { createDeliveryTraces } from "../../webhooks/delivery-traces.ts";
import { createEventTraces } from "../../webhooks/event-traces.ts";
import { createFanOutWork } from "../../webhooks/fan-out.ts";
import { forgetOldEvents } from "../../webhooks/forget-events.ts";
import { createGuardedFetch } from "../../webhooks/guarded-fetch.ts";
import { createWebhookMetrics } from "../../webhooks/webhook-metrics.ts";
import { readConfig } from "./config.ts";

/** Rows per sweep: each is one short transaction. */
const BATCH = 200;
/** Stations whose whole message log is gone through in one statement: it must stay far below a statement's time limit. */
const ERASED_AT_ONCE = 10;
const MINUTE_MS = 60_000;
const CATCH_UP_MS = 15_000;
const BACKLOGS_EVERY_MS = 15_000;

const config = configure("jobs", () => readConfig(process.env, (path) => readFileSync(path, "utf8")));
const { secretsKey } = config;
const { log, logLevel, tracing } = await openLog(config, "jobs");
endOnFault(log);
const pool = openPool(config.databaseUrl, config.postgresConnections, "dynamo jobs");
// Each sweep holds a connection for as long as it has its lock: apart, so that they can take none from the work.
const sweepPool = openPool(config.databaseUrl, 16, "dynamo jobs sweeps");
const sql = sqlOn(pool);
const redis = connectRedis(config.redis, "commands", { connectionName: "jobs", log });
const subscriber = connectRedis(config.redis, "subscriber", { connectionName: "jobs", log });
const workerRedis = connectRedis(config.redis, "blocking", { connectionName: "jobs", log });

const registry = new Registry();
collectDefaultMetrics({ register: registry });
tellBuild(registry, { process: "jobs", version: config.buildVersion });
tellPools(registry, { work: pool, sweeps: sweepPool });
const metrics = createJobMetrics(registry);
const commandMetrics = createCommandMetrics(registry);

const ownerOf = (identity: StationIdentity) => resolveOwner(redis, identity);
const channel = createNodeChannel({ askerId: `jobs-${randomUUID()}`, redis, subscriber, log });
const sender = createCommandSender({
  pool,
  channel,
  resolveOwner: ownerOf,
  secretsKey,
  timing: DELIVERY_TIMING,
  metrics: commandMetrics,
  log,
});
const { askerId } = channel;
const queue = createQueuedDelivery({
  pool,
  sender,
  resolveOwner: ownerOf,
  secretsKey,
  askerId,
  metrics: commandMetrics,
  log,
});
const wakeUps = createWakeUps({ redis, prefix: BULL_PREFIX, log });
const guardedFetch = createGuardedFetch(config.webhookTargets);
const smtp = openSmtp(config.smtpUrl);

const runner = createJobRunner({
  works: [
    createCommissioningWork({
      pool,
      resolveOwner: ownerOf,
      sender,
      diagnose: createConnectionDiagnosis({ redis, publicOcppUrl: config.publicOcppUrl }),
      wakeUps,
      settings: config.commissioning,
      log,
    }),
    createIssueWork({ pool, authority: config.certificateAuthority, log }),
    createRevocationWork({ pool, authority: config.certificateAuthority, log }),
    createQueuedCommandsWork({ pool, delivery: queue, wakeUps }),
    createFanOutWork({ pool, wakeUps }),
    createDeliveryWork({
      pool,
      secretsKey,
      guardedFetch,
      wakeUps,
      log,
      metrics: createWebhookMetrics(registry),
      ...(tracing && { traces: createDeliveryTraces({ tracing, events: createEventTraces({ redis, log }) }) }),
    }),
    createMailWork({
      pool,
      secretsKey,
      transport: smtp,
      from: config.mailFrom,
      log,
      metrics: createMailMetrics(registry),
    }),
  ],
  wakeUps,
  redis: workerRedis,
  prefix: BULL_PREFIX,
  sweepMs: config.sweepMs,
  metrics,
  log,
});

const { sweepMs, heartbeatIntervalSeconds } = config;
const endOverdueNow = () => commandMetrics.whenCommitted((ended) => endOverdueCommands(pool, BATCH, { log, ended }));
const endOverdue = afterCatchingUp(endOverdueNow, {
  catchUpMs: CATCH_UP_MS,
  gapMs: CATCH_UP_MS + 3 * sweepMs,
  nowMs: () => performance.now(),
});
const partitioned: PartitionedTable[] = [
  { table: "message_log", column: "received_at", span: "day", keepDays: config.messageLogDays },
  { table: "meter_values", column: "sampled_at", span: "month", keepDays: config.meterValuesDays },
  { table: "station_events", column: "occurred_at", span: "month", keepDays: config.stationEventsDays },
  { table: "data_transfers", column: "received_at", span: "month", keepDays: config.dataTransfersDays },
];
const sweeps = createPeriodicSweeps({
  pool: sweepPool,
  sweeps: [
    {
      name: "registry outbox",
      everyMs: sweepMs,
      run: () => relayRegistryOutbox({ pool, redis, heartbeatIntervalSeconds, log, limit: BATCH }),
    },
    { name: "quirk fan-out", everyMs: sweepMs, run: () => fanOutQuirks({ pool, pageSize: 500, maxPages: 10 }) },
    { name: "old counters", everyMs: 10 * MINUTE_MS, run: () => forgetOldCounters(pool) },
    {
      name: "password changes",
      everyMs: sweepMs,
      run: () => advancePasswordChanges({ pool, secretsKey, limit: BATCH }),
    },
    {
      name: "certificate renewals",
      everyMs: MINUTE_MS,
      run: () => askForRenewals({ pool, daysBefore: config.certificateRenewalDays, limit: BATCH }),
    },
    { name: "disconnects", everyMs: sweepMs, run: () => tellDueDisconnects({ pool, limit: BATCH }) },
    { name: "command deadlines", everyMs: sweepMs, run: endOverdue },
    {
      name: "transaction status",
      everyMs: Math.min(MINUTE_MS, config.transactionQuestions.graceMs),
      run: () => askTransactionStatus(pool, config.transactionQuestions, BATCH),
    },
    { name: "untold sessions", everyMs: MINUTE_MS, run: () => tellUntoldSessions({ pool, limit: BATCH }) },
    { name: "expired rows", everyMs: 10 * MINUTE_MS, run: () => forgetExpiredRows(sql) },
    { name: "old reports", everyMs: 10 * MINUTE_MS, run: () => forgetOldReports(sql) },
    {
      name: "old commands",
      everyMs: MINUTE_MS,
      run: createOldCommandsSweep({ sql, days: config.commandsDays, limit: 10 * BATCH }),
    },
    { name: "partitions", everyMs: 10 * MINUTE_MS, run: () => keepPartitions(pool, partitioned, new Date()) },
    {
      name: "erasures",
      everyMs: 10 * sweepMs,
      run: () =>
        carryOutErasures({ pool, redis, pageSize: ERASED_AT_ONCE, eventPageSize: 10 * BATCH, secretsKey, log }),
    },
    { name: "set aside", everyMs: 10 * MINUTE_MS, run: () => forgetSetAside(sql, config) },
    { name: "old events", everyMs: MINUTE_MS, run: () => forgetOldEvents({ pool, limit: 10 * BATCH }) },
  ],
  metrics,
  log,
});

// What waits in the whole deployment: every jobs process tells it, so that it is told while one of them lives.
const backlogs = createBacklogReader({ sql, redis, metrics: createBacklogMetrics(registry), log }, BACKLOGS_EVERY_MS);

const internal = await startInternalServer({
  port: config.internalPort,
  host: config.internalHost,
  checks: {
    redis: () => redisAnswers(redis),
    postgres: createPostgresCheck(pool),
    work: () => runner.healthy(),
    sweeps: () => sweeps.healthy(),
  },
  registry,
  logLevel,
});

stopOnSignals(
  createShutdown(
    [
      { name: "readiness", run: async () => internal.markStopping() },
      // No further work is taken and what is at work ends; commands under way are left to the lanes and to other processes.
      { name: "work", run: () => runner.stop() },
      { name: "sweeps", run: () => sweeps.stop() },
      { name: "backlogs", run: () => backlogs.stop() },
      { name: "commands", run: () => sender.stop() },
      { name: "wake-ups", run: () => wakeUps.close() },
      { name: "reports", run: () => channel.stop() },
      { name: "smtp", run: async () => smtp.close() },
      { name: "webhook client", run: () => guardedFetch.close() },
      {
        name: "redis",
        run: async () => [redis, subscriber, workerRedis].forEach((connection) => connection.disconnect()),
      },
      { name: "postgres", run: async () => void (await Promise.all([pool.end(), sweepPool.end()])) },
      { name: "internal server", run: () => internal.close() },
      { name: "tracing", run: () => tracing?.stop() },
    ],
    config.shutdownDeadlineMs,
    log,
  ),
  log,
);

await channel.start();
runner.start();
sweeps.start();
backlogs.start();
internal.markReady();
log.info({ port: internal.port, internalPort: internal.port }, "ready");
