// Every Redis key and channel of the product. Above each: type, who writes, who reads, when it goes away.
// What a script touches together shares one hash tag ({…}), so that all of it works on Redis Cluster.

import type { StationIdentity } from "./station-identity.ts";

/** Identities may hold braces, spaces, any script: inside a key they are percent-encoded. */
const tag = (identity: StationIdentity) => `{${encodeURIComponent(identity)}}`;

/** Stream of one gateway process, its only writer (entry ids 1-0, 2-0, …). Read by the intake; trimmed below the committed offset, deleted by the intake once drained and sealed or its lease gone. */
export const lane = (laneId: string) => `ocpp:lane:{${laneId}}`;

/** What SCAN looks for to find lanes that the registry lost. */
export const LANE_PATTERN = "ocpp:lane:{*}";

/** The lane id out of a key that LANE_PATTERN matched. */
export const laneIdOf = (laneKey: string) => laneKey.slice("ocpp:lane:{".length, -1);

/** String, the writer's node id. Set by the gateway with LEASE_MS and renewed; gone: the writer is dead or cut off. Read by the intake's script that deletes a lane. */
export const laneLease = (laneId: string) => `ocpp:lane-lease:{${laneId}}`;

/** String "". Set by the intake every second while the lane is idle, for LEASE_MS: whether the lane's master takes writes, without which no lease can be renewed. */
export const laneProbe = (laneId: string) => `ocpp:lane-probe:{${laneId}}`;

/** Hash lane id → JSON {nodeId, startedAtMs}. Written by gateways before a lane's first entry and with each lease renewal; read by the intake, which removes the fields of deleted lanes. */
export const LANES = "ocpp:lanes";

/** Hash lane id → JSON {nodeId, last, endedAtMs}: lanes that the intake deleted, with the number of their last entry. Written by it before each deletion, for LANE_END_KEPT_MS: a Postgres that was restored to an earlier time learns from it what it lacks. */
export const LANE_ENDS = "ocpp:lane-ends";

/** How far back a restored Postgres is told of the lanes that ended since: 35 days. */
export const LANE_END_KEPT_MS = 35 * 86_400_000;

/** Hash {rev, record}: the StationRecord as JSON (station-record.ts) and its revision. Written by the control plane only (script: a lower rev changes nothing), read at admission. Never expires; can be rebuilt. */
export const stationRecord = (identity: StationIdentity) => `ocpp:station:${tag(identity)}`;

/** List of ConnectionAttempt (connection-attempt.ts), newest first, ATTEMPTS_PER_STATION of them. Pushed by gateways, best effort; read by the REST API and the commissioning checks. Expires ATTEMPTS_KEPT_SECONDS after the last one. */
export const connectionAttempts = (identity: StationIdentity) => `ocpp:attempts:${tag(identity)}`;

/** List of ConnectionAttempt, newest first, UNKNOWN_ATTEMPTS_KEPT of them: attempts of identities that are not registered. As `connectionAttempts`. */
export const UNKNOWN_ATTEMPTS = "ocpp:attempts-unknown";

/** String "1". Set for 5 s by a gateway whose lookup found no such station; deleted by the control plane when it registers one. */
export const unknownStation = (identity: StationIdentity) => `ocpp:unknown:${tag(identity)}`;

/** Hash {node, epoch, attempt, formerNode, formerEpoch}: who holds the station's socket. Written by the gateways' ownership scripts (the last three are theirs alone: what the last takeover replaced, for one whose answer is lost), node and epoch read by commands and commissioning. Never expires (epochs must not run backwards): a dead node is seen by its lease. */
export const stationOwner = (identity: StationIdentity) => `ocpp:owner:${tag(identity)}`;

/** List of "{Unix ms} {address}", newest first: from where the station was taken over from a connection that had not ended. Written and read by the gateways' ownership script alone. Expires 10 min after the last one. */
export const stationTakeovers = (identity: StationIdentity) => `ocpp:takeovers:${tag(identity)}`;

/** Hash {times, endedAt, admittedAt}: how often in a row the station left soon after it had connected, when it last did, and when it was last let in since (Unix ms). Written and read by the gateways' ownership scripts alone; deleted when a connection lasts. Expires 10 min after the last time. */
export const stationFlaps = (identity: StationIdentity) => `ocpp:flaps:${tag(identity)}`;

/** String, JSON {laneId, startedAtMs}. Set by a gateway with LEASE_MS and renewed; deleted by a clean stop. Read by commands, presence, commissioning. */
export const nodeLease = (nodeId: string) => `ocpp:node:{${nodeId}}:lease`;

/** What SCAN looks for to find the nodes that live. */
export const NODE_LEASE_PATTERN = "ocpp:node:{*}:lease";

/** The node id out of a key that NODE_LEASE_PATTERN matched. */
export const nodeIdOf = (leaseKey: string) => leaseKey.slice("ocpp:node:{".length, -"}:lease".length);

/** Pub/sub channel (SPUBLISH), not a key: NodeMessage (command-message.ts). Published by the control plane and by gateways that take a station over; subscribed by exactly one gateway. No replay. */
export const nodeCommands = (nodeId: string) => `ocpp:node:{${nodeId}}:commands`;

/** Pub/sub channel (SPUBLISH), not a key: CommandReport (command-message.ts). Published by gateways, subscribed by the control-plane process that asked. No replay: the lane has the outcome too. */
export const askerReports = (askerId: string) => `ocpp:asker:{${askerId}}:reports`;

/** Hash token → JSON {revision, status, expiryDate?, parentIdTag?, cachedAtMs, validUntilMs}, one per organisation; {revision} alone after a change. Written by the control plane (scripts: a lower revision changes nothing), read by gateways while the control plane is away. Expires AUTH_CACHE_SECONDS after the last write, as each entry does for itself. */
export const authorizationCache = (orgId: string) => `ocpp:auth:{${orgId}}`;

/** String, a number: no transaction id of OCPP 1.6 above it was given, give or take a hundred. Raised by the decisions process, best effort; read when Postgres turns out to be another one than before (failover, restore). Never expires. */
export const TRANSACTION_IDS = "ocpp:transaction-ids";

/** String, a W3C `traceparent`: the trace in which an event of the webhooks was recorded. Written by whoever records it, best effort and only where the trace is recorded; read at its deliveries. Expires after EVENT_TRACE_SECONDS. */
export const eventTrace = (eventId: string) => `ocpp:event-trace:${eventId}`;

/** Past it a delivery is tried again without its trace: a day of retries makes no trace that anybody reads. */
export const EVENT_TRACE_SECONDS = 3_600;

/** BullMQ's key prefix, a hash tag of its own. */
export const BULL_PREFIX = "{dynamo:bull}";

/** Rate limiter counters of the REST API (rate-limiter-flexible), each with its window as expiry. */
export const RATE_LIMIT_PREFIX = "api:rate";

/** How long leases live without renewal. Renewed at a third of it. */
export const LEASE_MS = 10_000;
