import { nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { queueCommand } from "../commands/queue-command.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { until } from "./intake-world.ts";
import { recordOf, registeringInstaller, UNIT } from "./registering-installer.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

test("another unit in a broken one's place: same id, new password, registered anew; the old one is shown as removed", async () => {
  const { register, key, projectId } = await registeringInstaller(world);
  const { body: unit } = await register();
  const id = unit.charge_point_id as StationIdentity;
  const before = await recordOf(world, id);
  await world.redis.hset(stationOwner(id), { node: "gw-gone", epoch: 41 });
  const [row] = await world.sql.query<{ id: string }>(
    `update stations set registration = 'accepted', security_profile = 3 where charge_point_id = $1 returning id::text as id`,
    [id],
  );
  await world.sql.query(
    `insert into station_boots (station_id, firmware_version, payload, booted_at, epoch, seq) values ($1, '3.4.1', '{}', now(), 41, 1)`,
    [row?.id],
  );

  const answer = await world.ask("POST", `/api/v1/charge-points/${id}/replace`, {
    as: key,
    body: { serial_number: "SN-NEW", model: "HYC400", reason: "contactor welded" },
  });
  expect(answer).toMatchObject({ status: 200, body: { charge_point_id: id, status: "registered" } });
  expect(answer.body.provisioning_password).toMatch(/^[A-Za-z0-9]{20}$/);

  const after = await recordOf(world, id);
  expect(after).toMatchObject({ registration: "unknown", securityProfile: 2, serialNumber: "SN-NEW" });
  expect(after?.verifiers).toHaveLength(1);
  expect(after?.verifiers[0]?.digest).not.toBe(before?.verifiers[0]?.digest);
  expect((await world.ask("GET", `/api/v1/charge-points/${id}`, { as: key })).body).toMatchObject({
    serial_number: "SN-NEW",
    model: "HYC400",
    vendor: UNIT.vendor,
    status: "registered",
    firmware_version: null,
    project_id: projectId,
  });
  expect((await world.ask("GET", `/api/v1/charge-points/${id}/hardware`, { as: key })).body.hardware).toMatchObject([
    { serial_number: "SN-NEW", removed_at: null },
    { serial_number: UNIT.serial_number, firmware_version: "3.4.1", reason: "contactor welded" },
  ]);
  const [guard] = await world.sql.query(`select hardware_epoch::int as epoch from stations where id = $1`, [row?.id]);
  expect(guard).toEqual({ epoch: 41 });
  await world.redis.del(nodeLease("gw-gone"));
});

test("commands that wait for the removed unit are not sent to the one in its place", async () => {
  const { register, key } = await registeringInstaller(world);
  const { body: unit } = await register();
  const [row] = await world.sql.query<{ id: string; org_id: string }>(
    "select id::text as id, org_id from stations where charge_point_id = $1",
    [unit.charge_point_id],
  );
  const { id = "", org_id: orgId = "" } = row ?? {};
  const commandId = await queueCommand(world.sql, {
    stationId: id,
    orgId,
    version: "1.6",
    action: "Reset",
    payload: { type: "Soft" },
    requestedBy: "key_1",
  });
  const path = `/api/v1/charge-points/${unit.charge_point_id}/replace`;
  expect((await world.ask("POST", path, { as: key, body: { serial_number: "SN-C" } })).status).toBe(200);
  expect(await world.sql.query("select state, reason from commands where id = $1", [commandId])).toEqual([
    { state: "not_connected", reason: "the hardware was replaced" },
  ]);
});

test("a replacement that meets the intake in a circle is made all the same", async () => {
  const { register, key } = await registeringInstaller(world);
  const { body: unit } = await register();
  const of = [unit.charge_point_id];
  await world.sql.query(
    "insert into station_seen (station_id, last_seen_at) select id, now() from stations where charge_point_id = $1",
    of,
  );
  const intake = await world.pool.connect();
  // So that it is the other one that is broken off.
  await intake.query("set deadlock_timeout = '60s'; begin");
  const station = "(select id from stations where charge_point_id = $1)";
  await intake.query(`update station_seen set last_seen_at = now() where station_id = ${station}`, of);
  const path = `/api/v1/charge-points/${unit.charge_point_id}/replace`;
  const answer = world.ask("POST", path, { as: key, body: { serial_number: "SN-D" } });
  await until(async () => {
    const waiting = await world.sql.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'delete from station_seen%'",
    );
    return waiting.length > 0;
  });
  await intake.query("select 1 from stations where charge_point_id = $1 for key share", of);
  await intake.query("commit; reset deadlock_timeout");
  intake.release();
  expect((await answer).status).toBe(200);
});

test("a unit of another organisation is replaced and moved by nobody, and a serial number stands once in a project", async () => {
  const { register, key } = await registeringInstaller(world);
  const { body: unit } = await register();
  await register({ serial_number: "SN-2" });
  const stranger = await world.organization();
  const path = `/api/v1/charge-points/${unit.charge_point_id}`;
  const replace = { body: { serial_number: "SN-2" } };
  expect((await world.ask("POST", `${path}/replace`, { as: stranger.key, ...replace })).status).toBe(404);
  expect((await world.ask("POST", `${path}/move`, { as: stranger.key, body: { project_id: null } })).status).toBe(404);
  expect((await world.ask("GET", `${path}/hardware`, { as: stranger.key })).status).toBe(404);
  expect(await world.ask("POST", `${path}/replace`, { as: key, ...replace })).toMatchObject({
    status: 409,
    body: { code: "duplicate_serial_number" },
  });
});

test("a unit moves to another project, out of all, and never into a locked or strange one", async () => {
  const { register, key, projectId, token } = await registeringInstaller(world);
  const { body: unit } = await register();
  const id = unit.charge_point_id as string;
  const move = (to: string | null) =>
    world.ask("POST", `/api/v1/charge-points/${id}/move`, { as: key, body: { project_id: to } });
  const start = { run_connectivity_test: true, run_meter_calibration: false, notes: "" };
  const started = await world.ask("POST", `/api/v1/installer/commissioning/${id}/start`, { as: token, body: start });
  expect(started.body).toMatchObject({ status: "in_progress" });
  const other = await world.project(key);
  expect(await move(other)).toMatchObject({ status: 200, body: { project_id: other } });
  expect((await world.ask("GET", `/api/v1/installer/charge-points/${id}`, { as: token })).status).toBe(404);
  expect((await move(null)).status).toBe(200);
  expect((await world.ask("GET", `/api/v1/charge-points/${id}`, { as: key })).body.project_id).toBeNull();
  // What ran is told to have ended, and not only forgotten.
  expect(
    await world.sql.query(`select data ->> 'project_id' as project_id from events where type = 'commissioning.failed'`),
  ).toEqual([{ project_id: other }]);

  // Its serial number was free meanwhile.
  await register();
  expect(await move(projectId)).toMatchObject({ status: 409, body: { code: "duplicate_serial_number" } });
  await world.sql.query(`update projects set status = 'handed_over' where id = $1`, [other]);
  expect(await move(other)).toMatchObject({ status: 409, body: { code: "project_handed_over" } });
  const stranger = await world.organization();
  expect(await move(await world.project(stranger.key))).toMatchObject({
    status: 404,
    body: { code: "project_not_found" },
  });
});
