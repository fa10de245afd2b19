import { randomUUID } from "node:crypto";
import { decodeNodeMessage, type NodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";
import { createProject, registerStation, type TestProject, type TestStation } from "./registered-station.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

// Access that ended must end for whoever is connected by it, also when the gateway could not be told at once.

let world: ApiWorld;
let database: OwnDatabase;
let project: TestProject;
const subscribers: Redis[] = [];
beforeAll(async () => {
  world = await startApiWorld();
  database = await createOwnDatabase();
  project = await createProject(database.pool);
});
afterAll(async () => {
  for (const subscriber of subscribers) subscriber.disconnect();
  await world.close();
  await database.drop();
});

const deps = () => ({ pool: database.pool, redis: world.redis, heartbeatIntervalSeconds: 300, limit: 100 });
const waiting = async (station: TestStation) =>
  (await database.pool.query("select 1 from registry_outbox where station_id = $1", [station.id])).rowCount;

/** A node that holds the station's socket and does not listen yet. */
async function heldBy(identity: string): Promise<string> {
  const nodeId = `node-${randomUUID()}`;
  await world.redis.hset(stationOwner(identity as StationIdentity), { node: nodeId, epoch: 7 });
  await world.redis.set(nodeLease(nodeId), "{}", "PX", 60_000);
  return nodeId;
}

async function listen(nodeId: string): Promise<NodeMessage[]> {
  const subscriber = new Redis(process.env["TEST_REDIS_URL"] as string, { protocol: 2 });
  subscribers.push(subscriber);
  const heard: NodeMessage[] = [];
  subscriber.on("smessage", (_channel: string, text: string) => {
    const message = decodeNodeMessage(text);
    if (message.ok) heard.push(message.value);
  });
  await subscriber.ssubscribe(nodeCommands(nodeId));
  return heard;
}

const closeOf = (identity: string) => ({ kind: "close", identity, belowEpoch: 8, reason: "revoked" });

test("a rotated password disconnects its unit, and until a gateway hears it that stays to be done", async () => {
  const { key } = await world.organization();
  const { installerId, token } = await world.installer();
  const project_id = await world.project(key, installerId);
  const unit = { serial_number: "S1", model: "M", vendor: "V", ocpp_version: "1.6", connector_count: 1 };
  const { body } = await world.ask("POST", "/api/v1/installer/charge-points", {
    as: token,
    body: { project_id, ...unit },
  });
  const id: string = body.charge_point_id;
  const nodeId = await heldBy(id);
  const path = `/api/v1/installer/charge-points/${id}/rotate-password`;
  expect((await world.ask("POST", path, { as: token })).status).toBe(200);
  const outbox = () =>
    world.sql.query(
      "select close_socket from registry_outbox o join stations s on s.id = o.station_id where charge_point_id = $1",
      [id],
    );
  expect(await outbox()).toEqual([{ close_socket: true }]);
  const heard = await listen(nodeId);
  expect((await world.ask("POST", path, { as: token })).status).toBe(200);
  await expect.poll(() => heard).toMatchObject([closeOf(id)]);
  expect(await outbox()).toEqual([]);
});

test("the relay closes what could not be closed at once, once", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  const nodeId = await heldBy(station.identity);
  await requestRegistryWrite(sqlOn(database.pool), station.id, "close-socket");
  // Another change of the record does not take the request back.
  await requestRegistryWrite(sqlOn(database.pool), station.id);
  expect(await writeRegistryNow(deps(), station.id)).toBe(true);
  expect(await waiting(station)).toBe(1);
  const heard = await listen(nodeId);
  await relayRegistryOutbox(deps());
  await relayRegistryOutbox(deps());
  await expect.poll(() => heard).toMatchObject([closeOf(station.identity)]);
  expect(await waiting(station)).toBe(0);
});

test("a node without a lease is told for two minutes: it may only be cut off", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  const nodeId = await heldBy(station.identity);
  await world.redis.del(nodeLease(nodeId));
  await requestRegistryWrite(sqlOn(database.pool), station.id, "close-socket");
  await relayRegistryOutbox(deps());
  expect(await waiting(station)).toBe(1);
  await database.pool.query(
    "update registry_outbox set requested_at = now() - interval '3 min' where station_id = $1",
    [station.id],
  );
  await relayRegistryOutbox(deps());
  expect(await waiting(station)).toBe(0);
});

test("a change that ends no access closes nothing: who holds the socket reads the record again", async () => {
  const station = await registerStation(database.pool, project, "1.6");
  const heard = await listen(await heldBy(station.identity));
  await requestRegistryWrite(sqlOn(database.pool), station.id);
  await writeRegistryNow(deps(), station.id);
  expect(await waiting(station)).toBe(0);
  // Behind it on the same channel: had there been a close, it would have come first.
  await requestRegistryWrite(sqlOn(database.pool), station.id, "close-socket");
  await writeRegistryNow(deps(), station.id);
  await expect.poll(() => heard.map(({ kind }) => kind)).toEqual(["refresh", "close"]);
});
