import type { X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { BadConfiguration } from "@dynamo-csms/proto/process/bad-configuration";
import { EnvironmentReader, type Environment } from "@dynamo-csms/proto/process/environment";
import { LOG_LEVELS, type LogLevel } from "@dynamo-csms/proto/process/logger";
import { readRedisTarget, type RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { readTracingSettings, type TracingSettings } from "@dynamo-csms/proto/process/tracing-settings";
import { parsePeppers, type Peppers } from "@dynamo-csms/proto/station-password";
import { parseSecretsKey, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { readListeners, type ListenerSettings } from "./sockets/listener.ts";
import { parseTrustedProxies, type TrustedProxies } from "./sockets/remote-address.ts";

export type AckDurability = "redis" | "replica" | "aof";

export interface GatewayConfig {
  host: string;
  /** Ports of 0 are any free ones; the "ready" line tells which. */
  listeners: ListenerSettings[];
  /** Whose certificates are taken from stations; undefined: whomever the proxy takes. */
  clientAuthorities?: X509Certificate[];
  /** In which trusted proxies pass the stations' certificates on; lower case. */
  clientCertificateHeader?: string;
  internalHost: string;
  internalPort: number;
  /** Unique per process start: what an earlier process of the same name still holds in Redis is not ours. */
  nodeId: string;
  redis: RedisTarget;
  decisions: { address: string; tls?: { ca: Buffer; certificate: Buffer; key: Buffer } };
  peppers: Peppers;
  /** Opens sealed command payloads. */
  secretsKey: SecretsKey;
  /** Path prefixes in front of `[/{version}]/{identity}`, without trailing slash; "" is the root. */
  ocppPaths: string[];
  unsupportedSubprotocol: "reject" | "closeAfterUpgrade";
  trustedProxies: TrustedProxies;
  maxFrameBytes: number;
  /** Handshakes let in per second; 0: as many as come. */
  handshakesPerSecond: number;
  /** Of each connection, in the long run; more wait for their turn, unanswered. */
  callsPerSecond: number;
  /** Whether plain CALLs are looked at by generated scanners; else by JSON.parse and the validators, as all others. */
  payloadScanner: "on" | "off";
  /** So many short connections of a station in a row are let pass; 0: any number. */
  flappingConnections: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  ackDurability: AckDurability;
  /** How many replicas ACK_DURABILITY=replica waits for. */
  ackReplicas: number;
  authorizeOffline: "deny" | "accept";
  /** How long a message that only the control plane can answer waits for it; stations wait for 30 s or more. */
  decisionHoldMs: number;
  /** For settling open calls and closing the sockets; the rest up to shutdownDeadlineMs is for sealing the lane. */
  drainDeadlineMs: number;
  /** At a stop; faster where the deadline asks for it. */
  drainClosesPerSecond: number;
  /** Must stay below the pod's terminationGracePeriodSeconds. */
  shutdownDeadlineMs: number;
  /** The release that an image was built from. */
  buildVersion: string;
  logLevel: LogLevel;
  /** Undefined: nothing is traced. */
  tracing: TracingSettings | undefined;
}

interface Surroundings {
  readFile(path: string): string;
  /** Letters that no other process has. */
  randomSuffix(): string;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, surroundings: Surroundings): Readonly<GatewayConfig> {
  const read = new EnvironmentReader(env, surroundings.readFile);
  const { listeners, ...clientCertificates } = readListeners(read);
  const pingIntervalMs = read.durationMs("PING_INTERVAL", 25_000, 1_000, 300_000);
  const idleTimeoutMs = read.durationMs("IDLE_TIMEOUT", 75_000, 8_000, 900_000);
  // Below two intervals one lost ping would close a living connection.
  if (idleTimeoutMs < 2 * pingIntervalMs) read.mistakes.push("IDLE_TIMEOUT: want at least twice PING_INTERVAL");
  const drainDeadlineMs = read.durationMs("DRAIN_DEADLINE_MS", 20_000, 0, 600_000);
  const shutdownDeadlineMs = read.durationMs(
    "SHUTDOWN_DEADLINE_MS",
    Math.max(30_000, drainDeadlineMs + 5_000),
    1_000,
    900_000,
  );
  if (shutdownDeadlineMs <= drainDeadlineMs)
    read.mistakes.push("SHUTDOWN_DEADLINE_MS: want more than DRAIN_DEADLINE_MS");

  const redis = readRedisTarget(read);
  const address = read.required("DECISIONS_URL", read.text("DECISIONS_URL"), parseDecisionsAddress, "host:port");
  const tls = readDecisionsTls(read);
  const peppers = read.required(
    "STATION_PEPPERS",
    read.secret("STATION_PEPPERS"),
    parsePeppers,
    "id:base64, the control plane's",
  );
  const secretsKey = read.required(
    "SECRETS_KEY",
    read.secret("SECRETS_KEY"),
    parseSecretsKey,
    "base64 of 32 bytes, the control plane's",
  );
  const ocppPaths = read.parsed("OCPP_PATHS", read.text("OCPP_PATHS") ?? "/ocpp", parsePaths);
  const trustedProxies = read.parsed("TRUSTED_PROXIES", read.text("TRUSTED_PROXIES") ?? "", parseTrustedProxies);
  const settings = {
    host: read.text("GATEWAY_HOST") ?? "0.0.0.0",
    listeners,
    ...clientCertificates,
    internalHost: read.text("INTERNAL_HOST") ?? "127.0.0.1",
    internalPort: read.integer("INTERNAL_PORT", 0, 0, 65_535),
    nodeId: `${read.text("NODE_ID") ?? `${hostname()}-${listeners[0]?.port ?? 0}`}-${surroundings.randomSuffix()}`,
    unsupportedSubprotocol: read.choice("UNSUPPORTED_SUBPROTOCOL", "reject", ["reject", "closeAfterUpgrade"]),
    maxFrameBytes: read.integer("MAX_FRAME_BYTES", 1_048_576, 16_384, 16_777_216),
    handshakesPerSecond: read.integer("HANDSHAKES_PER_SECOND", 500, 0, 100_000),
    flappingConnections: read.integer("FLAPPING_CONNECTIONS", 100, 0, 10_000),
    callsPerSecond: read.integer("CALLS_PER_SECOND", 100, 1, 1_000_000),
    payloadScanner: read.choice("PAYLOAD_SCANNER", "on", ["on", "off"]),
    drainClosesPerSecond: read.integer("DRAIN_CLOSES_PER_SECOND", 500, 1, 100_000),
    pingIntervalMs,
    idleTimeoutMs,
    ackDurability: read.choice("ACK_DURABILITY", "redis", ["redis", "replica", "aof"]),
    ackReplicas: read.integer("ACK_REPLICAS", 1, 1, 16),
    authorizeOffline: read.choice("AUTHORIZE_OFFLINE", "deny", ["deny", "accept"]),
    decisionHoldMs: read.durationMs("DECISION_HOLD", 15_000, 0, 120_000),
    drainDeadlineMs,
    shutdownDeadlineMs,
    buildVersion: read.text("BUILD_VERSION") ?? "source",
    logLevel: read.choice("LOG_LEVEL", "info", LOG_LEVELS),
    tracing: readTracingSettings(read),
  } as const;

  if (settings.ackDurability !== "replica" && read.text("ACK_REPLICAS") !== undefined)
    read.mistakes.push(
      "ACK_REPLICAS: no replica is waited for without ACK_DURABILITY=replica: set that, or unset this",
    );
  if (read.mistakes.length > 0 || !redis || !address || !peppers || !secretsKey || !ocppPaths || !trustedProxies)
    throw new BadConfiguration(read.mistakes);
  const decisions = { address, ...(tls === undefined ? {} : { tls }) };
  return Object.freeze({
    ...settings,
    redis,
    decisions,
    peppers,
    secretsKey,
    ocppPaths,
    trustedProxies,
  });
}

function parseDecisionsAddress(text: string): string {
  if (!/^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(text)) throw new Error("want host:port, without a scheme");
  return text;
}

/** All three or none: mutual TLS, or a plain connection inside the local stack. */
function readDecisionsTls(read: EnvironmentReader) {
  const ca = read.secret("DECISIONS_CA");
  const certificate = read.secret("DECISIONS_CERT");
  const key = read.secret("DECISIONS_KEY");
  if (ca === undefined && certificate === undefined && key === undefined) return undefined;
  if (ca === undefined || certificate === undefined || key === undefined) {
    read.mistakes.push("DECISIONS_CA, DECISIONS_CERT and DECISIONS_KEY: set all three (PEM) or none");
    return undefined;
  }
  return { ca: Buffer.from(ca), certificate: Buffer.from(certificate), key: Buffer.from(key) };
}

function parsePaths(text: string): string[] {
  return text.split(",").map((part) => {
    const path = part.trim().replace(/\/+$/, "");
    if (path !== "" && !/^(\/[^/?#\s]+)+$/.test(path))
      throw new Error(`${part.trim()}: want paths such as /ocpp, separated by commas`);
    return path;
  });
}
