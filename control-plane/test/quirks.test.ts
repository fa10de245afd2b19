import { randomUUID } from "node:crypto";
import { decodeNodeMessage, type NodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPool } from "../database.ts";
import { fanOutQuirks, forgetOldCounters } from "../quirks/fan-out-quirks.ts";
import { recordQuirks } from "../quirks/record-quirks.ts";
import { recordBoots } from "../stations/record-boot.ts";
import { relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { recordOf, registeringInstaller } from "./registering-installer.ts";

let world: ApiWorld;
let pool: ReturnType<typeof openPool>;
beforeAll(async () => {
  world = await startApiWorld();
  pool = openPool(world.env["DATABASE_URL"] as string, 5, "test");
});
afterAll(async () => {
  await pool.end();
  await world.close();
});

const relay = () => relayRegistryOutbox({ pool, redis: world.redis, heartbeatIntervalSeconds: 300, limit: 100 });
const inForce = async (id: string) => (await recordOf(world, id))?.quirks;
const LONG = { over_long_strings: { mode: "accept", max_length: 100 } };
const ODD = { odd_timestamps: { mode: "report_only" } };

let serial = 0;
async function scene() {
  const { key, orgId, register } = await registeringInstaller(world);
  const unit = async (vendor: string, model: string): Promise<string> =>
    (await register({ vendor, model, serial_number: `Q-${(serial += 1)}`, ocpp_version: "1.6" })).body.charge_point_id;
  const profile = async (match: object, settings: object, name = "P") =>
    world.ask("POST", "/api/v1/quirk-profiles", { as: key, body: { name, match, settings } });
  return { key, orgId, unit, profile };
}

let epoch = Date.now();
async function boots(id: string, facts: { vendor?: string; model?: string; firmware?: string }): Promise<void> {
  const [station] = await world.sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = $1",
    [id],
  );
  await recordBoots(world.sql, [
    {
      stationId: station!.id,
      vendor: facts.vendor ?? null,
      model: facts.model ?? null,
      serialNumber: null,
      firmwareVersion: facts.firmware ?? null,
      reason: null,
      payload: "{}",
      bootedAt: new Date(),
      epoch: (epoch += 1),
      seq: 1,
    },
  ]);
}

test("[H4] [1.2-encoding] nothing is forgiven by default; a profile's settings reach the gateways, and end with it", async () => {
  const { key, unit, profile } = await scene();
  const id = await unit("Vendor X", "One");
  expect(await inForce(id)).toBeUndefined();
  const settings = {
    missing_subprotocol: { mode: "accept", assume: "1.6" },
    credential_encoding: { mode: "report_only" },
  };
  const made = await profile({ vendor: "vendor x" }, settings);
  expect(made).toMatchObject({ status: 201, body: { affected_charge_points: 1, settings } });
  expect(made.headers.get("location")).toBe(`/api/v1/quirk-profiles/${made.body.quirk_profile_id}`);
  await relay();
  expect(await inForce(id)).toEqual(settings);
  expect((await world.ask("GET", `/api/v1/charge-points/${id}/quirks`, { as: key })).body).toMatchObject({
    in_force: settings,
    quirk_profile: { quirk_profile_id: made.body.quirk_profile_id, name: "P" },
    overrides: {},
    matched_by: { vendor: "Vendor X", model: "One", firmware: null, source: "registration" },
    usage: [],
  });
  expect((await world.ask("GET", `/api/v1/charge-points/${id}`, { as: key })).body.quirks).toEqual(
    Object.keys(settings),
  );
  const path = `/api/v1/quirk-profiles/${made.body.quirk_profile_id}`;
  expect(await world.ask("PATCH", path, { as: key, body: { settings: LONG } })).toMatchObject({
    status: 200,
    body: { name: "P", settings: LONG, affected_charge_points: 1 },
  });
  await relay();
  expect(await inForce(id)).toEqual(LONG);
  expect(await world.ask("DELETE", path, { as: key })).toMatchObject({
    status: 200,
    body: { affected_charge_points: 1 },
  });
  await relay();
  expect(await inForce(id)).toBeUndefined();
  expect((await world.ask("GET", path, { as: key })).status).toBe(404);
});

test("the profile that names most counts, in any case and by patterns; what looks like a wildcard of SQL is none", async () => {
  const { unit, profile } = await scene();
  const ids = {
    plain: await unit("ACME", "AC_22"),
    other: await unit("acme", "ACX22"),
    stranger: await unit("Bolt", "AC_22"),
  };
  await profile({}, { unknown_fields: { mode: "accept" } }, "any");
  await profile({ vendor: "*", model: "AC*" }, { ping_interval: { mode: "accept", seconds: 20 } }, "pattern");
  await profile({ vendor: "a*" }, ODD, "vendor by pattern");
  await profile({ vendor: "Acme" }, LONG, "vendor");
  await profile({ vendor: "A*e", model: "ac_2*" }, { ...LONG, ...ODD }, "two");
  await relay();
  expect(await inForce(ids.plain)).toEqual({ ...LONG, ...ODD });
  // `_` is no wildcard; an exact vendor and a pattern of a model name one field each: the exact one counts.
  expect(await inForce(ids.other)).toEqual(LONG);
  expect(await inForce(ids.stranger)).toEqual({ ping_interval: { mode: "accept", seconds: 20 } });
});

test("two profiles of the same match are refused, as are settings that nobody knows", async () => {
  const { profile } = await scene();
  expect((await profile({ vendor: "Twin", firmware: "1.*" }, LONG)).status).toBe(201);
  expect(await profile({ vendor: "TWIN", firmware: "1.*" }, ODD)).toMatchObject({
    status: 409,
    body: { code: "conflict" },
  });
  expect((await profile({ vendor: "V" }, { everything: { mode: "accept" } })).status).toBe(422);
  expect((await profile({ vendor: "V" }, { odd_timestamps: { mode: "always" } })).status).toBe(422);
  expect((await profile({ vendor: "a*b*c*d*e" }, LONG)).status).toBe(422);
});

test("a boot goes by what the station says of itself; only another outcome is told to the gateways", async () => {
  const { key, unit, profile } = await scene();
  const id = await unit("Typed Wrongly", "M");
  await profile({ vendor: "Real", firmware: "1.*" }, LONG);
  await relay();
  expect(await inForce(id)).toBeUndefined();
  await boots(id, { vendor: "REAL", model: "M", firmware: "1.8" });
  await relay();
  expect(await inForce(id)).toEqual(LONG);
  const { rev } = (await recordOf(world, id))!;
  await boots(id, { vendor: "Real", model: "M", firmware: "1.9" });
  expect(await relay()).toBe(0);
  expect((await recordOf(world, id))?.rev).toBe(rev);
  expect((await world.ask("GET", `/api/v1/charge-points/${id}/quirks`, { as: key })).body.matched_by).toEqual({
    vendor: "Real",
    model: "M",
    firmware: "1.9",
    source: "boot",
  });
  await boots(id, { vendor: "Real", model: "M", firmware: "2.0" });
  await relay();
  expect(await inForce(id)).toBeUndefined();
});

test("a station's own settings stand instead of its profile's, quirk by quirk, and null is off", async () => {
  const { key, unit, profile } = await scene();
  const id = await unit("Over", "Ride");
  await profile({ vendor: "Over" }, { ...LONG, ...ODD });
  const put = (overrides: object) =>
    world.ask("PUT", `/api/v1/charge-points/${id}/quirks`, { as: key, body: { overrides } });
  const set = await put({ odd_timestamps: null, ping_interval: { mode: "accept", seconds: 0 } });
  expect(set).toMatchObject({ status: 200, body: { overrides: { odd_timestamps: null } } });
  // Without the jobs process: written with the request.
  expect(await inForce(id)).toEqual({ ...LONG, ping_interval: { mode: "accept", seconds: 0 } });
  expect((await put({})).body).toMatchObject({ in_force: { ...LONG, ...ODD }, overrides: {} });
  expect(await inForce(id)).toEqual({ ...LONG, ...ODD });
});

test("whoever holds the station's socket is told to read its record again, and nobody else", async () => {
  const { key, unit } = await scene();
  const [held, left] = [await unit("V", "M"), await unit("V", "M")];
  const nodeId = `node-${randomUUID()}`;
  const subscriber = new Redis(process.env["TEST_REDIS_URL"] as string, { protocol: 2 });
  const heard: NodeMessage[] = [];
  subscriber.on("smessage", (_channel: string, text: string) => {
    const message = decodeNodeMessage(text);
    if (message.ok) heard.push(message.value);
  });
  await subscriber.ssubscribe(nodeCommands(nodeId));
  await world.redis.hset(stationOwner(held as StationIdentity), { node: nodeId, epoch: 7 });
  await world.redis.hset(stationOwner(left as StationIdentity), { node: "", epoch: 7 });
  for (const id of [left, held])
    await world.ask("PUT", `/api/v1/charge-points/${id}/quirks`, { as: key, body: { overrides: ODD } });
  await expect.poll(() => heard).toEqual([{ v: 1, kind: "refresh", identity: held }]);
  subscriber.disconnect();
});

test("a fleet is gone through in pages, by processes that share it, and looked at once more for late boots", async () => {
  const { orgId, unit, profile } = await scene();
  const ids = await Promise.all(Array.from({ length: 7 }, () => unit("Fleet", "M")));
  // As a request leaves it whose fleet is larger than what it does at once.
  await profile({ vendor: "Fleet" }, LONG);
  await world.sql.query("update stations set quirks = null, quirk_profile = null where org_id = $1", [orgId]);
  await world.sql.query(
    "update quirk_fan_outs set after_station = 0, second_look = false, due_at = now() where org_id = $1",
    [orgId],
  );
  await relay();
  expect(await fanOutQuirks({ pool, pageSize: 2, maxPages: 2 }, orgId)).toBe(4);
  const both = await Promise.all([1, 2].map(() => fanOutQuirks({ pool, pageSize: 2, maxPages: 9 }, orgId)));
  expect(both.reduce((sum, marked) => sum + marked)).toBe(3);
  await relay();
  for (const id of ids) expect(await inForce(id)).toEqual(LONG);
  const waiting = () =>
    world.sql.query("select second_look, due_at > now() as later from quirk_fan_outs where org_id = $1", [orgId]);
  expect(await waiting()).toEqual([{ second_look: true, later: true }]);
  await world.sql.query("update quirk_fan_outs set due_at = now() where org_id = $1", [orgId]);
  expect(await fanOutQuirks({ pool, pageSize: 100, maxPages: 9 }, orgId)).toBe(0);
  expect(await waiting()).toEqual([]);
});

test("profiles and counters are the organisation's own", async () => {
  const [mine, theirs] = [await scene(), await scene()];
  const id = await mine.unit("Shared Vendor", "M");
  const made = await theirs.profile({ vendor: "Shared Vendor" }, LONG);
  expect(made.body.affected_charge_points).toBe(0);
  await relay();
  expect(await inForce(id)).toBeUndefined();
  const path = `/api/v1/quirk-profiles/${made.body.quirk_profile_id}`;
  for (const [method, body] of [["GET"], ["PATCH", { name: "x" }], ["DELETE"]] as const)
    expect((await world.ask(method, path, { as: mine.key, ...(body && { body }) })).status).toBe(404);
  expect((await world.ask("GET", "/api/v1/quirk-profiles", { as: mine.key })).body.quirk_profiles).toEqual([]);
  const quirks = `/api/v1/charge-points/${id}/quirks`;
  expect((await world.ask("GET", quirks, { as: theirs.key })).status).toBe(404);
  expect((await world.ask("PUT", quirks, { as: theirs.key, body: { overrides: LONG } })).status).toBe(404);
});

test("[D12] what was met is told per station and per profile; however often, one row a day", async () => {
  const { key, unit, profile } = await scene();
  const ids = [await unit("Counted", "M"), await unit("Counted", "M")];
  const made = await profile({ vendor: "Counted" }, { ...LONG, odd_timestamps: { mode: "report_only" } });
  const stations = await world.sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = any($1) order by stations.id",
    [ids],
  );
  const met = (index: number, quirk: "over_long_strings" | "odd_timestamps", count: number, detail = "d") => ({
    stationId: stations[index]!.id,
    quirk,
    mode: quirk === "odd_timestamps" ? ("report_only" as const) : ("accept" as const),
    count,
    at: new Date(),
    detail,
  });
  await recordQuirks(
    world.sql,
    Array.from({ length: 5_000 }, (_, i) => met(0, "over_long_strings", 1, `value ${i}`)),
  );
  await recordQuirks(world.sql, [met(0, "over_long_strings", 2, "x".repeat(9_999)), met(1, "odd_timestamps", 3)]);
  const rows = await world.sql.query("select 1 from quirk_counters where station_id = any($1::bigint[])", [
    stations.map((station) => station.id),
  ]);
  expect(rows).toHaveLength(2);
  const shown = await world.ask("GET", `/api/v1/charge-points/${ids[0]}/quirks`, { as: key });
  expect(shown.body.usage).toEqual([
    {
      quirk: "over_long_strings",
      mode: "accept",
      count: 5_002,
      last_at: expect.any(String),
      last_detail: "x".repeat(200),
    },
  ]);
  const ofProfile = await world.ask("GET", `/api/v1/quirk-profiles/${made.body.quirk_profile_id}`, { as: key });
  expect(ofProfile.body).toMatchObject({
    charge_points: 2,
    usage: [
      { quirk: "odd_timestamps", mode: "report_only", count: 3, charge_points: 1 },
      { quirk: "over_long_strings", mode: "accept", count: 5_002, charge_points: 1 },
    ],
  });
  await world.sql.query("update quirk_counters set day = current_date - 91 where station_id = $1", [stations[0]!.id]);
  await forgetOldCounters(pool);
  expect((await world.ask("GET", `/api/v1/charge-points/${ids[0]}/quirks`, { as: key })).body.usage).toEqual([]);
});
