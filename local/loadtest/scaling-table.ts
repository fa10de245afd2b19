import type { Report } from "./report.ts";

/** What is reckoned with: two published runs of `npm run loadtest`, and how a station spends its day. */
export interface ScalingInput {
  /** A fleet at its natural pace: what a connection costs, its pings and few messages included. */
  calm: Pick<Report, "stations" | "processes" | "phases" | "mostConnections">;
  /** A fleet that is hurried: what a message costs where many come together. */
  busy: Pick<Report, "stations" | "processes" | "phases" | "bytesPerMessage" | "ledger">;
  /** Messages a second of one station, on average. */
  messagesPerStation: number;
  /** Seconds between two WebSocket pings of a gateway (PING_INTERVAL). */
  pingSeconds: number;
  /** HANDSHAKES_PER_SECOND of a gateway. */
  handshakesPerSecond: number;
}

/** What a fleet of some size needs. */
export interface Need {
  stations: number;
  messagesPerSecond: number;
  pingsPerSecond: number;
  gatewayCores: number;
  gateways: number;
  /** Until all are back after all connections broke at once, as far as handshakes are the limit. */
  backInSeconds: number;
  decisionsCores: number;
  intakeCores: number;
  intakes: number;
  /** Seconds of all processes together until everybody has booted, after a blackout that took the whole fleet. */
  bootCoreSeconds: number;
  redisCores: number;
  redisGigabytes: number;
  postgresCores: number;
  postgresGigabytesPerDay: number;
  walGigabytesPerDay: number;
  /** At the gateways, both ways, all framing included. */
  messageMegabits: number;
  pingMegabits: number;
  /** Between gateways, Redis, its replica and the intake. */
  laneMegabits: number;
}

/** A process has half of a core to spare: for storms, for checkpoints, for the neighbour that died. */
const SHARE_OF_A_CORE = 0.5;
/** So many are to come back when one gateway dies, and not more. */
const CONNECTIONS_PER_GATEWAY = 20_000;
const SECONDS_PER_DAY = 86_400;
/** TCP and IPv4 around each packet, timestamps included; and a TLS 1.3 record in it. */
const PACKET_BYTES = 52;
const TLS_BYTES = 22;
/** Around a message and its answer: two packets with a record each, and a packet that acknowledges the answer. */
const AROUND_MESSAGE_BYTES = 2 * (PACKET_BYTES + TLS_BYTES) + PACKET_BYTES;
/** A ping (2 bytes) and its masked pong (6) with the same around them. */
const PING_BYTES = 2 + 6 + AROUND_MESSAGE_BYTES;
/** What a station sends goes to Redis, from there to a replica, and to the intake. */
const LANE_COPIES = 3;

/** What a fleet of this size needs, reckoned from what was measured. */
export function needOf(stations: number, input: ScalingInput): Need {
  const { calm, busy, messagesPerStation, pingSeconds, handshakesPerSecond } = input;
  const rate = stations * messagesPerStation;
  const gatewayCores = stations * (coresOf(calm, "gateway-") / Math.max(1, calm.mostConnections));
  const gateways =
    1 + Math.max(2, Math.ceil(stations / CONNECTIONS_PER_GATEWAY), Math.ceil(gatewayCores / SHARE_OF_A_CORE));
  const cores = (name: string) => (rate * microsecondsOf(busy, name)) / 1e6;
  const perDay = (bytes: number) => (rate * bytes * SECONDS_PER_DAY) / 1e9;
  const { sent, received, database, wal } = busy.bytesPerMessage;
  return {
    stations,
    messagesPerSecond: rate,
    pingsPerSecond: stations / pingSeconds,
    gatewayCores,
    gateways,
    backInSeconds: stations / ((gateways - 1) * handshakesPerSecond),
    decisionsCores: cores("decisions"),
    intakeCores: cores("intake-"),
    intakes: 1 + Math.ceil(cores("intake-") / SHARE_OF_A_CORE),
    bootCoreSeconds: (stations * connectOf(busy)) / 1e6,
    redisCores: cores("redis"),
    redisGigabytes: (stations * memoryOf(busy, "redis")) / stationsOf(busy) / 1e9,
    postgresCores: cores("postgres"),
    postgresGigabytesPerDay: perDay(database),
    walGigabytesPerDay: perDay(wal),
    messageMegabits: megabits(rate * (sent + received + AROUND_MESSAGE_BYTES)),
    pingMegabits: megabits((stations / pingSeconds) * PING_BYTES),
    laneMegabits: megabits(rate * sent * LANE_COPIES),
  };
}

/** The table of docs/scaling.md, in Markdown. */
export function scalingTable(sizes: readonly number[], input: ScalingInput): string {
  const needs = sizes.map((size) => needOf(size, input));
  const row = (what: string, tell: (need: Need) => string, how: string) =>
    `| ${what} | ${needs.map(tell).join(" | ")} | ${how} |`;
  const cost = (name: string) => `${microsecondsOf(input.busy, name).toFixed(0)} µs a message (busy)`;
  const perConnection = (coresOf(input.calm, "gateway-") / Math.max(1, input.calm.mostConnections)) * 1e6;
  const { sent, received, database, wal } = input.busy.bytesPerMessage;
  return [
    `| stations | ${sizes.map(whole).join(" | ")} | how |`,
    `|---|${sizes.map(() => "---").join("|")}|---|`,
    row(
      "messages a second",
      (need) => whole(need.messagesPerSecond),
      `one in ${(1 / input.messagesPerStation).toFixed(0)} s and station`,
    ),
    row("WebSocket pings a second", (need) => whole(need.pingsPerSecond), `\`PING_INTERVAL\` ${input.pingSeconds} s`),
    row(
      "gateways: cores in use",
      (need) => some(need.gatewayCores),
      `${perConnection.toFixed(1)} µs a second and connection (calm)`,
    ),
    row(
      "gateways: processes",
      (need) => whole(need.gateways),
      `half a core and ${whole(CONNECTIONS_PER_GATEWAY)} connections each at most, two at least, and one to spare`,
    ),
    row(
      "all back after a storm, s",
      (need) => whole(Math.ceil(need.backInSeconds)),
      `${whole(input.handshakesPerSecond)} handshakes a second and gateway`,
    ),
    row(
      "everybody boots at once: core seconds of all processes",
      (need) => whole(need.bootCoreSeconds),
      `${(connectOf(input.busy) / 1e3).toFixed(1)} ms to connect, boot and tell a status (busy)`,
    ),
    row("decisions: cores in use", (need) => some(need.decisionsCores), cost("decisions")),
    row("intake: cores in use", (need) => some(need.intakeCores), cost("intake-")),
    row("intake: processes", (need) => whole(need.intakes), "half a core each, and one to spare"),
    row("Redis: cores in use", (need) => some(need.redisCores), cost("redis")),
    row(
      "Redis: GB",
      (need) => some(need.redisGigabytes),
      `${(memoryOf(input.busy, "redis") / stationsOf(input.busy) / 1e3).toFixed(1)} kB a station (busy), lanes' window included`,
    ),
    row("Postgres: cores in use", (need) => some(need.postgresCores), cost("postgres")),
    row(
      "Postgres: GB a day",
      (need) => some(need.postgresGigabytesPerDay),
      `${database.toFixed(0)} B a message (busy), before retention`,
    ),
    row("write-ahead log: GB a day", (need) => some(need.walGigabytesPerDay), `${wal.toFixed(0)} B a message (busy)`),
    row(
      "network at the gateways, messages: Mbit/s",
      (need) => some(need.messageMegabits),
      `${sent.toFixed(0)} B sent and ${received.toFixed(0)} received a message (busy), ${AROUND_MESSAGE_BYTES} B of TLS, TCP and IP around them`,
    ),
    row(
      "network at the gateways, pings: Mbit/s",
      (need) => some(need.pingMegabits),
      `${PING_BYTES} B every ${input.pingSeconds} s and connection: ${(PING_BYTES / input.pingSeconds).toFixed(1)} B a second, beside ${(input.messagesPerStation * (sent + received + AROUND_MESSAGE_BYTES)).toFixed(1)} of its messages`,
    ),
    row(
      "network between gateways, Redis, its replica and intake: Mbit/s",
      (need) => some(need.laneMegabits),
      `${LANE_COPIES} times what stations send`,
    ),
  ].join("\n");
}

const megabits = (bytesPerSecond: number): number => (bytesPerSecond * 8) / 1e6;

type Processes = Pick<Report, "processes">;

const named = ({ processes }: Processes, prefix: string) => processes.filter(({ name }) => name.startsWith(prefix));

const coresOf = (run: Processes, prefix: string): number =>
  named(run, prefix).reduce((sum, { cores }) => sum + cores, 0);

const microsecondsOf = (run: Processes, prefix: string): number =>
  named(run, prefix).reduce((sum, { cpuMicrosecondsPerMessage }) => sum + cpuMicrosecondsPerMessage, 0);

/** What k6 costs is nobody's need. */
const connectOf = ({ processes }: Processes): number =>
  processes
    .filter(({ name }) => name !== "k6")
    .reduce((sum, { cpuMicrosecondsPerConnect }) => sum + cpuMicrosecondsPerConnect, 0);

const memoryOf = (run: Processes, prefix: string): number =>
  named(run, prefix).reduce((sum, { memory }) => sum + (memory?.[2] ?? 0), 0);

const stationsOf = ({ stations }: Pick<Report, "stations">): number =>
  Object.values(stations).reduce((sum, count) => sum + count, 0);

const whole = (value: number): string => Math.round(value).toLocaleString("en-GB");
const some = (value: number): string => (value >= 10 ? whole(value) : value.toPrecision(2));
