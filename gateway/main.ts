// The gateway process: what it is made of, what it listens to, and in which order it stops.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { payloadScanner, transactionUpdateScanner } from "@dynamo-csms/ocpp-schemas/payload-scanners";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { tellCertificates } from "@dynamo-csms/proto/process/certificate-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { openLog } from "@dynamo-csms/proto/process/open-log";
import { connectionReady, connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { createShutdown, endOnFault, stopOnSignals } from "@dynamo-csms/proto/process/shutdown";
import { readConfig } from "./config.ts";
import { createDecisionsClient } from "./inbound/decisions-client.ts";
import { createLaneRoutes } from "./inbound/lane-route.ts";
import { createLaneWriter } from "./inbound/lane-writer.ts";
import { createPayloadCheck } from "./inbound/payload-check.ts";
import { createReceiveFrame } from "./inbound/receive-frame.ts";
import { createTakePlainCall } from "./inbound/take-plain-call.ts";
import { createMetrics } from "./metrics.ts";
import { createCommandListener } from "./outbound/command-listener.ts";
import { createOutgoingCalls } from "./outbound/outgoing-calls.ts";
import { NodeLease } from "./ownership/node-lease.ts";
import { takeStation } from "./ownership/contested-takeover.ts";
import { createLivenessProbe } from "./ownership/liveness-probe.ts";
import { OwnershipKeeper } from "./ownership/ownership-keeper.ts";
import { createTakeoverAftermath } from "./ownership/takeover-aftermath.ts";
import { createStationOwnership } from "./ownership/station-ownership.ts";
import { admit } from "./sockets/admission.ts";
import { AttemptLimit } from "./sockets/attempt-limits.ts";
import { createAttemptLog } from "./sockets/attempt-log.ts";
import { createAttemptStore } from "./sockets/attempt-store.ts";
import { closeInWaves } from "./sockets/close-in-waves.ts";
import { createConnectionLife } from "./sockets/connection-life.ts";
import { createReadRecord } from "./sockets/read-records.ts";
import { createRefreshRecord } from "./sockets/refresh-record.ts";
import { startSocketServer } from "./sockets/server.ts";
import { SessionRegistry } from "./sockets/session-registry.ts";
import { tellStillOpen } from "./sockets/tell-still-open.ts";
import { createStationDirectory } from "./sockets/station-directory.ts";
import { parseStationUrl } from "./sockets/station-url.ts";
import { traceOutgoingCalls } from "./tracing/command-traces.ts";
import { createFrameTraces } from "./tracing/frame-traces.ts";

/** TCP connections at the same time that have not brought a request yet: a storm of a whole fleet, and less than the file descriptors of a process. */
const MAX_WITHOUT_REQUEST = 20_000;

const config = configure("gateway", () =>
  readConfig(process.env, {
    readFile: (path) => readFileSync(path, "utf8"),
    randomSuffix: () => randomBytes(4).toString("hex"),
  }),
);
const { nodeId } = config;
const { log, logLevel, tracing } = await openLog(config, "gateway", { node: nodeId });
endOnFault(log);

const nowMs = () => performance.now();
const pause = (ms: number) => sleep(ms);
const metrics = createMetrics({ version: config.buildVersion, nodeId });
tellBuild(metrics.registry, { process: "gateway", version: config.buildVersion });
tellCertificates(metrics.registry, { gateway_tls: config.listeners.find(({ tls }) => tls)?.tls?.certificate });
const connect = (purpose: "commands" | "subscriber") =>
  connectRedis(config.redis, purpose, { connectionName: nodeId, log });
const redis = connect("commands");
const subscriber = connect("subscriber");
const decisions = createDecisionsClient({ ...config.decisions, log });
const lane = createLaneWriter({
  nodeId,
  findRoute: createLaneRoutes({ target: config.redis, registry: redis, connectionName: nodeId }),
  registry: redis,
  durability: config.ackDurability,
  replicas: config.ackReplicas,
  nowMs,
  metrics,
  log,
  onTakenForDead: () =>
    void tellStillOpen({ nodeId, sessions, appendEvent: (session, event) => lane.appendEvent(session, event) }),
});

const sessions = new SessionRegistry();
// On a cluster each station's keys may be on another server; elsewhere one command serves many stations.
const atOnce = config.redis.kind === "cluster" ? 1 : 64;
const ownership = createStationOwnership({
  redis,
  nodeId,
  atOnce,
  flappingConnections: config.flappingConnections,
});
const keeper = new OwnershipKeeper({ sessions: () => sessions.all(), ownership, pause, log });
const aftermath = createTakeoverAftermath({
  ownership,
  sessions,
  ended: (identity, epoch) => keeper.ended(identity, epoch, "neither"),
  pause,
  log,
});
const lease = new NodeLease({ redis, nodeId, laneId: () => lane.laneId, startedAtMs: Date.now(), nowMs, log });

// A station that is misconfigured tries every few seconds for ever: ten attempts, then one in ten seconds.
const failedLogins = new AttemptLimit({ burst: 10, perSecond: 0.1, maxKeys: 100_000, nowMs });
// Each may cost a lookup, which reaches Postgres: enough for an installer's van behind one address, too little for guessing names.
const guesses = new AttemptLimit({ burst: 100, perSecond: 5, maxKeys: 100_000, nowMs });
const lookups = new AttemptLimit({ burst: 500, perSecond: 100, maxKeys: 1, nowMs });
// Redis is told of an attempt in ten seconds per address and station; what is the same within a batch counts once.
const attempts = createAttemptLog({
  nodeId,
  store: createAttemptStore(redis, atOnce),
  limit: new AttemptLimit({ burst: 20, perSecond: 0.1, maxKeys: 50_000, nowMs }),
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return { cancel: () => clearInterval(timer) };
  },
  identityOf: (path) => {
    const url = parseStationUrl(path, config.ocppPaths);
    return url.ok ? url.value.identity : undefined;
  },
  nowMs: Date.now,
  log,
});
const directory = createStationDirectory({
  readRecord: createReadRecord(redis, atOnce),
  redis,
  lookup: (identity) => decisions.lookup(identity),
  mayLookUp: () => lookups.take("all"),
  log,
});

const checkPayload = createPayloadCheck({
  nodeId,
  lane,
  metrics,
  after: (ms, run) => void setTimeout(run, ms).unref(),
});
// Without tracing these are not there, and frames and commands go their way as they are.
const frameTraces = tracing && createFrameTraces({ tracing, nodeId, lane, decisions, nowMs });
const storing = frameTraces?.lane ?? lane;
const outgoingCalls = createOutgoingCalls({ nodeId, lane: storing, checkPayload, metrics, log });
const outgoing =
  tracing && frameTraces
    ? traceOutgoingCalls({ tracing, outgoing: outgoingCalls, frames: frameTraces })
    : outgoingCalls;
const receiveFrame = createReceiveFrame({
  nodeId,
  lane: storing,
  decisions: frameTraces?.decisions ?? decisions,
  outgoing,
  attempts,
  checkPayload,
  redis,
  authorizeOffline: config.authorizeOffline,
  decisionHoldMs: config.decisionHoldMs,
  callsPerSecond: config.callsPerSecond,
  metrics,
});
const scanners = { scannerOf: payloadScanner, updateScannerOf: transactionUpdateScanner };
const takePlainCall = config.payloadScanner === "on" ? createTakePlainCall({ lane, scanners, metrics }) : () => false;
const probe = createLivenessProbe({
  nodeId,
  publisher: redis,
  sessions,
  contested: (session, techInfo) => life.contested(session, techInfo),
  log,
});
const commands = createCommandListener({
  nodeId,
  subscriber,
  publisher: redis,
  sessions,
  outgoing,
  refreshRecord: createRefreshRecord({
    redis,
    nodeId,
    sessions,
    appendEvent: (session, event) => lane.appendEvent(session, event),
    log,
  }),
  probe,
  drain: () => process.kill(process.pid, "SIGTERM"),
  secretsKey: config.secretsKey,
  log,
});

const storageReady = () => redis.status === "ready" && lane.healthy;
const admission = { ...config, directory, failedLogins, guesses, now: () => new Date() };
const life = createConnectionLife({
  nodeId,
  maxFrameBytes: config.maxFrameBytes,
  admit: (claim) => admit(claim, admission),
  storageReady,
  newAttempt: () => ownership.newAttempt(),
  take: (identity, newcomer) => takeStation(identity, newcomer, { ownership, probe }),
  attempts,
  aftermath,
  ownershipEnded: (identity, epoch, stay) => keeper.ended(identity, epoch, stay),
  sessions,
  appendEvent: (session, event) => lane.appendEvent(session, event),
  sessionClosed: (session) => outgoing.sessionClosed(session),
  metrics,
  nowMs,
  log,
});

// The control plane is not among the checks: stations are served without it.
const internal = await startInternalServer({
  host: config.internalHost,
  port: config.internalPort,
  checks: { redis: () => redis.status === "ready" && lease.held, lane: () => lane.healthy },
  registry: metrics.registry,
  logLevel,
});

let drainingSinceMs = 0;
let sockets: Awaited<ReturnType<typeof startSocketServer>> | undefined;
let reassertion: NodeJS.Timeout | undefined;
const shutdown = createShutdown(
  [
    {
      name: "readiness",
      run: () => {
        log.info({ connections: sessions.size }, "draining");
        internal.markStopping();
        metrics.draining.set(1);
        drainingSinceMs = nowMs();
      },
    },
    { name: "upgrades", run: () => sockets?.stopAccepting() },
    {
      name: "connections",
      run: () =>
        closeInWaves({
          sessions: () => sessions.all(),
          isCalled: outgoing.isCalled,
          // Who does not answer has half of the time; the other half does for all connections.
          callsEndAtMs: drainingSinceMs + config.drainDeadlineMs / 2,
          callsEnd: outgoing.takeNoMore,
          closesPerSecond: config.drainClosesPerSecond,
          endsAtMs: drainingSinceMs + config.drainDeadlineMs,
          nowMs,
          pause,
          random: Math.random,
        }),
    },
    { name: "lane", run: () => (sockets === undefined ? undefined : lane.seal()) },
    {
      name: "ownership",
      run: async () => {
        clearInterval(reassertion);
        if (sockets === undefined) return;
        await keeper.settled();
        await attempts.stop();
        await commands.stop();
        await lease.release();
      },
    },
    {
      name: "services",
      run: async () => {
        sockets?.close();
        lane.close();
        decisions.close();
        redis.disconnect();
        subscriber.disconnect();
        await internal.close();
      },
    },
    { name: "tracing", run: () => tracing?.stop() },
  ],
  config.shutdownDeadlineMs,
  log,
);
stopOnSignals(shutdown, log);

// A Redis that is away at the start is waited for: the node is alive, and not ready.
await connectionReady(redis);
await lane.open();
await lease.start();
await commands.start();
sockets = await startSocketServer({
  ...config,
  maxWithoutRequest: MAX_WITHOUT_REQUEST,
  life,
  attempts,
  takePlainCall: frameTraces?.takePlainCall(takePlainCall) ?? takePlainCall,
  receiveFrame: frameTraces?.receiveFrame(receiveFrame) ?? receiveFrame,
  metrics,
  log,
});

// Whatever the connections missed while they were away: owners that Redis forgot, messages to close.
for (const connection of [redis, subscriber]) connection.on("ready", () => void keeper.assertAgain());
// A failover inside a cluster shows as no reconnect at all.
reassertion = setInterval(() => void keeper.assertAgain(), 300_000);
internal.markReady();
const { 1: port, 2: tlsPort, 3: mtlsPort } = sockets.ports;
log.info({ port, tlsPort, mtlsPort, internalPort: internal.port }, "ready");
