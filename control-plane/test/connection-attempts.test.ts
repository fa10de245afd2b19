import { randomUUID } from "node:crypto";
import { startTestRedis } from "@dynamo-csms/local/test-servers";
import { type AttemptOutcome, type ConnectionAttempt, encodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import { connectionAttempts, nodeLease, stationOwner, UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordOversizedFrames } from "../quirks/record-quirks.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { registeringInstaller } from "./registering-installer.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const attempt = (outcome: AttemptOutcome, path: string, more: Partial<ConnectionAttempt> = {}): string =>
  encodeAttempt({
    v: 1,
    atMs: Date.now(),
    outcome,
    path,
    subprotocols: "ocpp1.6",
    remoteAddress: "192.0.2.1",
    listener: 2,
    notes: [],
    nodeId: "gateway-0",
    ...more,
  });

async function scene(of: ApiWorld = world) {
  const { key, token, register } = await registeringInstaller(of);
  const { body } = await register({ ocpp_version: "1.6", serial_number: `SN-${randomUUID().slice(0, 8)}-1` });
  const id: string = body.charge_point_id;
  return {
    key,
    token,
    id,
    serial: (
      await of.sql.query<{ serial_number: string }>("select serial_number from stations where charge_point_id = $1", [
        id,
      ])
    )[0]!.serial_number,
    asInstaller: () => of.ask("GET", `/api/v1/installer/charge-points/${id}/connection-attempts`, { as: token }),
    asOperator: (as = key) => of.ask("GET", `/api/v1/charge-points/${id}/connection-attempts`, { as }),
  };
}

test("the installer and the operator see the last attempts of a unit, each with what to do", async () => {
  const { id, asInstaller, asOperator, key } = await scene();
  const own = connectionAttempts(id as StationIdentity);
  await world.redis.lpush(own, attempt("no_credentials", `/ocpp/1.6/${id}`));
  await world.redis.lpush(own, '{"v":1,"outcome":"of a newer gateway"}', "not JSON");
  await world.redis.lpush(own, attempt("bad_credentials", `/ocpp/1.6/${id}`, { detail: "the user name differs" }));
  const { status, body } = await asInstaller();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    charge_point_id: id,
    identity: id,
    ocpp_endpoint: `wss://ocpp.dynamo-csms.com/ocpp/1.6/${id}`,
    online: false,
    diagnosis: { code: "bad_credentials", remedy: expect.stringContaining(id) },
    attempts: [
      {
        outcome: "bad_credentials",
        detail: "The unit sends a wrong user name or password. The user name differs.",
        remedy: expect.stringContaining("provisioning_password"),
        listener: "tls",
        remote_address: "192.0.2.1",
        node_id: "gateway-0",
      },
      { outcome: "no_credentials", remedy: expect.stringContaining("Basic") },
    ],
    similar_unknown: [],
    oversized_frames: { last_30_days: 0, last_at: null },
    note: null,
  });
  expect((await asOperator()).body).toEqual(body);
  expect((await world.ask("GET", `/api/v1/charge-points/${id}`, { as: key })).body.last_attempt).toMatchObject({
    outcome: "bad_credentials",
  });
});

test("a unit that is connected is said to be; one that never was, too", async () => {
  const { id, asInstaller } = await scene();
  expect((await asInstaller()).body.diagnosis).toMatchObject({
    code: "never_seen",
    remedy: expect.stringContaining(`wss://ocpp.dynamo-csms.com/ocpp/1.6/${id}`),
  });
  const nodeId = `node-${randomUUID()}`;
  await world.redis.set(nodeLease(nodeId), "{}", "PX", 60_000);
  await world.redis.hset(stationOwner(id as StationIdentity), { node: nodeId, epoch: 7 });
  expect((await asInstaller()).body).toMatchObject({ online: true, diagnosis: { code: "connected", remedy: null } });
});

test("of attempts under unknown ids one sees those alone that are probably one's own, mistyped", async () => {
  const [mine, theirs] = [await scene(), await scene()];
  const mistyped = `/ocpp/1.6/${mine.id.slice(0, -1)}`;
  const strange = `/ocpp/1.6/SOMEBODY-${randomUUID()}`;
  await world.redis.lpush(
    UNKNOWN_ATTEMPTS,
    attempt("unknown_identity", mistyped),
    attempt("unknown_identity", `/ocpp/1.6/${mine.serial}`),
    attempt("unknown_identity", strange),
  );
  const { body } = await mine.asInstaller();
  expect(body.similar_unknown).toMatchObject([
    { path: `/ocpp/1.6/${mine.serial}`, similarity: "contains_serial_number", outcome: "unknown_identity" },
    { path: mistyped, similarity: "near_miss" },
  ]);
  expect(body.diagnosis).toMatchObject({ code: "unknown_identity", detail: expect.stringContaining(mine.serial) });
  expect((await theirs.asInstaller()).body.similar_unknown).toEqual([]);
  expect((await theirs.asOperator()).body.diagnosis.code).toBe("never_seen");
});

test("other organisations and installers do not find the unit", async () => {
  const [mine, theirs] = [await scene(), await scene()];
  expect((await mine.asOperator(theirs.key)).status).toBe(404);
  const path = `/api/v1/installer/charge-points/${mine.id}/connection-attempts`;
  expect((await world.ask("GET", path, { as: theirs.token })).status).toBe(404);
});

test("[1.5-frame-size] messages over the limit are counted and shown per station", async () => {
  const [unit, other] = [await scene(), await scene()];
  const [station] = await world.sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = $1",
    [unit.id],
  );
  const at = new Date();
  await recordOversizedFrames(
    world.sql,
    [1, 2, 3].map(() => ({ stationId: station!.id, at })),
  );
  expect((await unit.asInstaller()).body.oversized_frames).toEqual({ last_30_days: 3, last_at: at.toISOString() });
  expect((await other.asInstaller()).body.oversized_frames).toEqual({ last_30_days: 0, last_at: null });
});

test("without Redis the diagnosis is what Postgres knows, and says so", async () => {
  const redis = await startTestRedis();
  const alone = await startApiWorld({ REDIS_URL: redis.url });
  try {
    const unit = await scene(alone);
    await redis.remove();
    const { status, body } = await unit.asInstaller();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      online: null,
      attempts: [],
      diagnosis: { code: "never_seen" },
      note: expect.any(String),
    });
  } finally {
    await alone.close();
  }
});

test("a schema violation at boot is what keeps a connected unit from working", async () => {
  const { id, asInstaller } = await scene();
  const nodeId = `node-${randomUUID()}`;
  await world.redis.set(nodeLease(nodeId), "{}", "PX", 60_000);
  await world.redis.hset(stationOwner(id as StationIdentity), { node: nodeId, epoch: 7 });
  await world.sql.query(
    `insert into message_log (station_id, epoch, seq, received_at, direction, flagged, action, message_id, raw, answer)
     select id, 7, 1, now(), 0, true, 'BootNotification', '1', '[2,"1","BootNotification",{}]',
            '[4,"1","OccurenceConstraintViolation","chargePointVendor is missing",{}]' from stations where charge_point_id = $1`,
    [id],
  );
  expect((await asInstaller()).body.diagnosis).toMatchObject({
    code: "schema_invalid",
    detail: expect.stringContaining("chargePointVendor is missing"),
  });
});
