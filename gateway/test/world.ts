import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMAND_FORMAT, encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { decodeAttempt, type ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import {
  connectionAttempts,
  laneLease,
  lane,
  LANES,
  nodeCommands,
  nodeLease,
  stationOwner,
  stationRecord,
  stationTakeovers,
  unknownStation,
} from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import { encodeStationRecord, type StationRecord } from "@dynamo-csms/proto/station-record";
import { decodeEntry, type LaneFrame } from "@dynamo-csms/proto/stream-entry";
import { Redis } from "ioredis";
import { startDecisionsServer, type DecisionsServer } from "./decisions-server.ts";
import { startGatewayProcess, type GatewayProcess } from "./gateway-process.ts";

const PEPPER = randomBytes(32);

/** A registered station: its identity is new in every test. */
export interface RegisteredStation {
  identity: StationIdentity;
  /** As in its URL and user name. */
  spelling: string;
  password: Buffer;
  record: StationRecord;
}

export interface World {
  redis: Redis;
  decisions: DecisionsServer;
  gateway(env?: Record<string, string>): Promise<GatewayProcess>;
  register(facts?: {
    spelling?: string;
    password?: Buffer;
    record?: Partial<StationRecord>;
  }): Promise<RegisteredStation>;
  /** Changes a station's record as the control plane does: writes it, then tells the node that holds the socket. */
  change(station: RegisteredStation, changes: Partial<StationRecord>): Promise<void>;
  /** A record as `register` makes it, in nobody's hands yet. */
  recordOf(spelling: string, password: Buffer, changes?: Partial<StationRecord>): StationRecord;
  /** The station's attempts to connect, newest first. */
  attempts(station: RegisteredStation): Promise<ConnectionAttempt[]>;
  /** Everything that the station's lanes hold of it, in the lanes' order. */
  stored(identity: string): Promise<LaneFrame[]>;
  owner(identity: StationIdentity): Promise<{ node?: string; epoch?: string }>;
  close(): Promise<void>;
}

/** A Redis (the test run's), a decisions server, and as many gateway processes as a test starts. */
export async function startWorld(redisUrl = process.env["TEST_REDIS_URL"]): Promise<World> {
  if (redisUrl === undefined) throw new Error("TEST_REDIS_URL is not set: run the tests with `npm test`");
  const redis = new Redis(redisUrl);
  const decisions = await startDecisionsServer();
  const gateways: GatewayProcess[] = [];
  const identities = new Set<StationIdentity>();

  const recordOf = (spelling: string, password: Buffer, changes: Partial<StationRecord> = {}): StationRecord => ({
    v: 1,
    rev: 1,
    orgId: "org_test",
    chargePointId: "cp_test",
    identitySpelling: spelling,
    verifiers: [{ digest: digestPassword(password, PEPPER).toString("base64"), pepperId: "p1", encoding: "literal" }],
    ocppVersions: ["1.6", "2.0.1", "2.1"],
    securityProfile: 1,
    registration: "accepted",
    heartbeatIntervalSeconds: 300,
    retired: false,
    ...changes,
  });

  const lanes = async () =>
    Object.entries(await redis.hgetall(LANES))
      .filter(([, facts]) => gateways.some(({ nodeId }) => facts.includes(nodeId)))
      .map(([laneId]) => laneId);

  return {
    redis,
    decisions,
    recordOf,
    async gateway(env = {}) {
      const gateway = await startGatewayProcess({
        REDIS_URL: redisUrl,
        DECISIONS_URL: decisions.address,
        STATION_PEPPERS: `p1:${PEPPER.toString("base64")}`,
        SECRETS_KEY: Buffer.alloc(32, 9).toString("base64"),
        LOG_LEVEL: "debug",
        ...env,
      });
      gateways.push(gateway);
      return gateway;
    },
    async register({
      spelling = `CS-${randomBytes(6).toString("hex")}`,
      password = randomBytes(20),
      record = {},
    } = {}) {
      const station = {
        identity: spelling.toLowerCase() as StationIdentity,
        spelling,
        password,
        record: recordOf(spelling, password, record),
      };
      identities.add(station.identity);
      await redis.hset(stationRecord(station.identity), "rev", 1, "record", encodeStationRecord(station.record));
      return station;
    },
    async change(station, changes) {
      Object.assign(station.record, changes);
      const { identity, record } = station;
      await redis.hset(stationRecord(identity), "rev", record.rev, "record", encodeStationRecord(record));
      const node = await redis.hget(stationOwner(identity), "node");
      if (node !== null)
        await redis.spublish(nodeCommands(node), encodeNodeMessage({ v: COMMAND_FORMAT, kind: "refresh", identity }));
    },
    async attempts({ identity }) {
      const texts = await redis.lrange(connectionAttempts(identity), 0, -1);
      return texts.flatMap((text) => decodeAttempt(text) ?? []);
    },
    async stored(identity) {
      const frames: LaneFrame[] = [];
      for (const laneId of await lanes()) {
        for (const [, fields] of await redis.xrangeBuffer(lane(laneId), "-", "+"))
          frames.push(...decodeEntry(fields[1] as Buffer));
      }
      return frames.filter((frame) => frame.identity === identity);
    },
    async owner(identity) {
      const [node, epoch] = await redis.hmget(stationOwner(identity), "node", "epoch");
      return { ...(node && { node }), ...(epoch && { epoch }) };
    },
    async close() {
      for (const gateway of gateways) gateway.signal("SIGKILL");
      await Promise.all(gateways.map(({ ended }) => ended));
      for (const laneId of await lanes())
        await redis.pipeline().del(lane(laneId)).del(laneLease(laneId)).hdel(LANES, laneId).exec();
      for (const { nodeId } of gateways) await redis.del(nodeLease(nodeId));
      for (const identity of identities)
        await redis
          .pipeline()
          .del(stationRecord(identity))
          .del(stationOwner(identity))
          .del(unknownStation(identity))
          .del(connectionAttempts(identity))
          .del(stationTakeovers(identity))
          .exec();
      redis.disconnect();
      decisions.close();
    },
  };
}

/** Waits until the condition holds. Gives up with its name; the limit is for a test that would never end otherwise. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 50_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`never came true: ${what}`);
    await sleep(20);
  }
}
