// What the parts of the fault harness agree on: the servers that can be broken, the system under test, the fleet with its
// ledgers, and what a fault of the catalogue is. Each part has a folder of its own beside this file.

import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { FleetSettings } from "./fleet/settings.ts";
import type { ReplicatedPostgres } from "./servers/replicated-postgres.ts";

/** How Redis is run: one server, a Redis Cluster of three masters with a replica each, or a primary watched by Sentinels. */
export type Topology = "single" | "cluster" | "sentinel";

/** A process that can be broken in every way that a fault asks for. */
export interface Breakable {
  readonly name: string;
  pid(): number;
  running(): boolean;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it has ended, SIGKILLed past its deadline. */
  stop(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** Starts it again on the same port and data; resolves when it is ready. */
  start(): Promise<void>;
}

/** One Redis server. */
export interface RedisNode extends Breakable {
  readonly port: number;
  readonly dataDirectory: string;
  /** What it is right now; "away" when it does not answer. */
  role(): Promise<"master" | "replica" | "away">;
  /** CONFIG SET and the like, on this very node. Strings as redis-cli prints them, arrays as arrays. */
  command(...args: string[]): Promise<unknown>;
  /** CONFIG SET that a restart does not undo. */
  configure(name: string, value: string): Promise<void>;
  /**
   * A power cut instead of a crash: SIGKILL, then the append-only file is cut back to the size that was last known to be on
   * the disk, before it is started again. Resolves to the number of bytes that were cut.
   */
  powerCut(): Promise<{ cutBytes: number }>;
  /** From now on nothing more fits on the disk; and again it does. */
  fillDisk(): Promise<void>;
  freeDisk(): Promise<void>;
}

/** The Redis of the system, whatever its topology. */
export interface FaultyRedis {
  readonly topology: Topology;
  /** Opens a way of this name to every server of this Redis, broken as one. `urlFor` and `natMapFor` know it from then on. */
  openWay(name: string): Promise<Way>;
  /** As REDIS_URL of a process that has a way of its own through the proxy (see `openWay`). */
  urlFor(way: string): string;
  /** As REDIS_NAT_MAP of that process; undefined on a single server. */
  natMapFor(way: string): string | undefined;
  /** Without a proxy in between: for the judge. */
  readonly directUrl: string;
  readonly nodes: readonly RedisNode[];
  /** Sentinels; none elsewhere. */
  readonly sentinels: readonly Breakable[];
  /** The master of a key now. On a single server: that one. */
  masterOf(key: string): Promise<RedisNode>;
  /** Resolves when every slot has a master that answers and every master has its replica in sync again. */
  healthy(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** The Postgres of the system, with a proxied way to it that all processes of the control plane share. */
export interface FaultyPostgres extends Breakable {
  /** Without a proxy in between: for the judge. */
  readonly url: string;
  /** As DATABASE_URL. */
  readonly proxiedUrl: string;
  readonly way: Way;
  /** From now on nothing more fits on the disk; and again it does. */
  fillDisk(): Promise<void>;
  freeDisk(): Promise<void>;
  close(): Promise<void>;
}

/** One proxied way between two processes. Everything on it can be broken while it runs; new and open connections alike. */
export interface Way {
  /** The address that the client is given. */
  readonly port: number;
  /** Closes every open connection at once (RST), takes new ones. */
  cut(): Promise<void>;
  /** As a network that swallows: nothing passes any more in either direction, connections stay open, new ones hang. */
  blackhole(): Promise<void>;
  /** Refuses new connections and closes the open ones. */
  refuse(): Promise<void>;
  /** Adds this latency in each direction, and at most this many bytes a second. */
  slow(limits: { latencyMs: number; bytesPerSecond?: number }): Promise<void>;
  /** Cuts the next `count` connections right after a chunk that matches was passed on towards the server, before any answer. */
  cutAfterRequest(matching: string, count: number): Promise<void>;
  /** How often `cutAfterRequest` has struck. */
  strikes(): Promise<number>;
  /** Passes everything again. */
  heal(): Promise<void>;
  /** New connections go to these from now on. Open ones stay where they are: `cut` them. */
  retarget(targets: readonly number[]): Promise<void>;
}

/** The proxy process that holds all ways. */
export interface Ways {
  /** A way to the first of the targets that takes the connection, in turn (a load balancer of layer 4). */
  open(name: string, targets: readonly number[]): Promise<Way>;
  close(): Promise<void>;
}

/** One process of the product. */
export interface Member extends Breakable {
  readonly kind: "gateway" | "decisions" | "intake" | "jobs" | "api";
  /** The public port: OCPP, REST, gRPC; 0 where there is none. */
  readonly port: number;
  /** Starts it with further variables for this start alone. */
  startWith(env: Record<string, string>): Promise<void>;
  /** All that it has logged. */
  log(): string;
  livez(): Promise<number>;
  /** The status of /readyz, 0 when nobody answers in 5 s. */
  readyz(): Promise<number>;
  /** The sum of a metric over its labels; undefined when there is none. */
  metric(name: string): Promise<number | undefined>;
}

export interface FaultySystem {
  readonly topology: Topology;
  readonly folder: string;
  readonly gateways: readonly Member[];
  readonly decisions: readonly Member[];
  readonly intakes: readonly Member[];
  readonly jobs: readonly Member[];
  readonly apis: readonly Member[];
  readonly redis: FaultyRedis;
  readonly postgres: FaultyPostgres;
  /** The same one, where the system was started with a standby; the reason where this machine cannot. */
  readonly replicated?: ReplicatedPostgres | { reason: string };
  /** Between one gateway and its Redis (all nodes of it), by the gateway's name. */
  redisWay(gateway: string): Way;
  /** Between the gateways and the decisions processes. */
  readonly decisionsWay: Way;
  readonly apiKey: string;
  readonly mailUrl: string;
  /** To Postgres, without the proxy. */
  sql<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A REST call with the organisation's key, to an api process that lives. Answers without one: status 0. */
  rest(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown; headers: Headers }>;
  /** Waits until every lane is applied to its last entry. False: what waits has not become less for so long. */
  caughtUp(timeoutMs: number): Promise<boolean>;
  /** Frames that wait in the lanes, as entries. */
  lag(): Promise<number>;
  generateStations(count: number, version: OcppVersion): Promise<StationCredentials[]>;
  close(): Promise<void>;
}

export interface StationCredentials {
  identity: string;
  password: string;
  version: OcppVersion;
}

/** What the fleet's processes say of themselves. */
export interface FleetStats {
  stations: number;
  connected: number;
  /** CALLs put on a socket, CALLRESULTs and CALLERRORs that came; since the start. */
  sent: number;
  acknowledged: number;
  errors: number;
  /** CALLs that wait to be sent or answered now. */
  waiting: number;
  /** HTTP statuses that handshakes were refused with, and what else kept a connection from opening, by count. */
  refusals: Record<string, number>;
  /** Close codes seen, by count. */
  closes: Record<string, number>;
  /** Duration of the handshakes that succeeded since the last `resetTimes`, ms. */
  handshakeMs: { p50: number; p99: number; max: number };
  /** From a CALL's first sending to its answer since the last `resetTimes`, ms. */
  answerMs: { p50: number; p99: number; max: number };
  /** CPU time that the fleet's processes took since their start, and the memory that they have now. */
  cpuMs: number;
  rssBytes: number;
}

/** Several processes of simulated stations, each with a ledger file. */
export interface Fleet {
  readonly stations: readonly StationCredentials[];
  /** The ledger files, append-only, one per process: lines of `LedgerLine`. */
  readonly ledgers: readonly string[];
  stats(): Promise<FleetStats>;
  resetTimes(): Promise<void>;
  /** Messages a second of the whole fleet, as far as answers allow. 0: sends nothing new. What waits is still sent. */
  pace(messagesPerSecond: number): Promise<void>;
  /** Connects what is not connected, spread over this time. Resolves when that is under way. */
  connect(withinMs: number): Promise<void>;
  /** Drops all connections without a close frame; they come back by themselves within `withinMs` (0: at once). Resolves when they are dropped. */
  dropAll(withinMs: number): Promise<void>;
  /** Stops reading from the sockets of this many stations (a slow reader), until called with 0. */
  stopReading(count: number): Promise<void>;
  /** Changes how the stations behave, from now on. */
  configure(settings: Partial<FleetSettings>): Promise<void>;
  /** Resolves true when every station is connected and nothing waits; false when that takes too long. */
  settled(timeoutMs: number): Promise<boolean>;
  /** Resolves when everything up to now is in the ledger files. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * One line of a ledger: a JSON array, the kind first. Times are Unix ms of the fleet's process, `at` from a monotonic clock.
 * - sent: a CALL was put on a socket. `key` names what it tells, alike for each repetition: see `fleet/station.ts`
 * - answered: its CALLRESULT; `facts` holds what is judged of it (transactionId, idTagInfo status, registration status)
 * - failed: its CALLERROR
 * - stray: an answer that no open CALL of this connection has
 * - command: a CALL of ours, with what the station answered (undefined: nothing)
 * - opened, closed: the connection
 * - dropped: the station gave the message up (what the specification lets it give up), so nobody may expect it
 */
export type LedgerLine =
  | ["sent", at: number, station: string, connection: number, messageId: string, action: string, key: string]
  | ["answered", at: number, station: string, connection: number, messageId: string, facts: Record<string, unknown>]
  | ["failed", at: number, station: string, connection: number, messageId: string, code: string]
  | ["stray", at: number, station: string, connection: number, messageId: string]
  | ["command", at: number, station: string, connection: number, messageId: string, action: string, answer?: unknown]
  | ["opened", at: number, station: string, connection: number, gateway: string]
  | ["closed", at: number, station: string, connection: number, code: number]
  | ["dropped", at: number, station: string, messageId: string];

/** Counts and durations: the short form for CI, the long form for a release. */
export interface Scale {
  readonly form: "short" | "long";
  /** Takes the first in the short form, the second in the long form, and what the command line says over both. */
  pick<T>(name: string, short: T, long: T): T;
}

/** What one fault's run came to. */
export interface FaultOutcome {
  id: string;
  title: string;
  topology: Topology;
  /** What was done, scaled: "20 kills", "Redis away for 10 s". */
  scaled: string;
  acknowledged: number;
  lost: number;
  /** How many this fault may lose by the documentation. */
  mayLose: number;
  duplicated: number;
  disordered: number;
  wrongReplies: number;
  /** Commands of the run: all, and those without exactly one final state or with one that lies. */
  commands: number;
  commandBreaches: number;
  /** From the end of the fault until 99 % of the stations are connected and answered and the lanes are applied. */
  recoverMs: number;
  /** Anything else that broke a promise, in words; empty: none. */
  breaches: string[];
  /** Figures worth telling that break no promise. */
  notes: string[];
  /** Set: it was not run, and why. */
  skipped?: string;
}

/** What a fault has to work with. */
export interface World {
  system: FaultySystem;
  fleet: Fleet;
  scale: Scale;
  /** The steady load in messages a second that runs before, while and after. */
  paceOf: number;
  say(line: string): void;
  /** Polls until the condition holds. Throws with `what` when it takes too long. */
  until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void>;
  /** Judges these ledgers too: of a fleet that the fault started for itself. */
  watch(ledgers: readonly string[]): void;
  /** Keeps sending commands over REST to random stations while `during` runs; resolves to their number. */
  withCommands<T>(perSecond: number, during: () => Promise<T>): Promise<T>;
}

/** What a fault reports of itself; the ledgers are judged by the conductor. */
export interface FaultReport {
  scaled: string;
  breaches?: string[];
  notes?: string[];
  /** Acknowledged messages that this fault may lose by the documentation; 0 when left out. Printed beside the measured. */
  mayLose?: number;
  /** Frames that this fault sets aside. */
  deadLetters?: number;
}

/** A fault of the catalogue. */
export interface Fault {
  id: string;
  title: string;
  topologies: readonly Topology[];
  /** Played on a system of its own, smaller, whose Postgres has an asynchronous standby. */
  postgres?: "replicated";
  /** Says why it cannot be run on this machine; undefined: it can. */
  unable?(world: World): Promise<string | undefined>;
  /** Injects the fault while the fleet works, and heals it. Throws only when the harness itself is at fault. */
  run(world: World): Promise<FaultReport>;
}
