import { nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import { passwordMatches } from "@dynamo-csms/proto/station-password";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../ids.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { recordOf, registeringInstaller, UNIT } from "./registering-installer.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

test("registering answers as the quickstart says, and the gateways know the unit", async () => {
  const { register, orgId } = await registeringInstaller(world);
  const { status, body, headers } = await register();
  expect([status, body]).toEqual([
    201,
    {
      charge_point_id: expect.stringMatching(/^cp_[0-9a-hjkmnp-tv-z]{12}$/),
      ocpp_endpoint: `wss://ocpp.dynamo-csms.com/ocpp/2.0.1/${body.charge_point_id}`,
      status: "registered",
      provisioning_password: expect.stringMatching(/^[A-Za-z0-9]{20}$/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    },
  ]);
  expect(headers.get("cache-control")).toBe("no-store");
  const record = await recordOf(world, body.charge_point_id);
  expect(record).toMatchObject({
    orgId,
    chargePointId: body.charge_point_id,
    ocppVersions: ["2.0.1"],
    registration: "unknown",
  });
  expect(passwordMatches(Buffer.from(body.provisioning_password), record?.verifiers ?? [], world.config.peppers)).toBe(
    true,
  );
  expect(
    await world.sql.query(
      "select 1 from registry_outbox o join stations s on s.id = o.station_id where s.charge_point_id = $1",
      [body.charge_point_id],
    ),
  ).toEqual([]);
});

test.each(["1.6", "2.0.1", "2.1"])("units speak OCPP %s", async (version) => {
  const { register } = await registeringInstaller(world);
  const { body } = await register({ ocpp_version: version });
  expect(body.ocpp_endpoint).toBe(`wss://ocpp.dynamo-csms.com/ocpp/${version}/${body.charge_point_id}`);
});

test("the same serial number in the same project is one unit, and is named", async () => {
  const { register } = await registeringInstaller(world);
  const [first, second] = await Promise.all([register(), register()]);
  const [made, refused] = first.status === 201 ? [first, second] : [second, first];
  expect(made.status).toBe(201);
  expect(refused).toMatchObject({
    status: 409,
    body: { code: "duplicate_serial_number", charge_point_id: made.body.charge_point_id },
  });
  expect((await register({ serial_number: "SN-2" })).status).toBe(201);
});

test("only a project one is assigned to takes units, and only until it is handed over", async () => {
  const { register, projectId } = await registeringInstaller(world);
  const other = await registeringInstaller(world);
  for (const project_id of [other.projectId, "proj_000000000000", "x"])
    expect(await register({ project_id })).toMatchObject({ status: 404, body: { code: "project_not_found" } });
  await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
    projectId,
  ]);
  expect(await register({ serial_number: "SN-9" })).toMatchObject({
    status: 409,
    body: { code: "project_handed_over" },
  });
});

test("a unit shows its connection, its connectors and whether it is online", async () => {
  const { register, token, key, projectId } = await registeringInstaller(world);
  const { body: registered } = await register();
  const id = registered.charge_point_id;
  const mine = () => world.ask("GET", `/api/v1/installer/charge-points/${id}`, { as: token });
  expect((await mine()).body).toMatchObject({
    charge_point_id: id,
    project_id: projectId,
    ...UNIT,
    status: "registered",
    online: false,
    last_seen_at: null,
    connection: null,
    connectors: [],
  });

  const [station] = await world.sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = $1",
    [id],
  );
  const node = `gw-${newId("evt")}`;
  await world.sql.query(
    `insert into station_connections (station_id, epoch, seq, node_id, remote_address, listener, ocpp_version, notes, opened_at) values ($1, 5, 0, $2, '192.0.2.7', 2, '2.0.1', '{trailing-slash}', '2026-05-01T10:30:00Z')`,
    [station?.id, node],
  );
  await world.sql.query(`insert into station_seen (station_id, last_seen_at) values ($1, '2026-05-01T10:31:00Z')`, [
    station?.id,
  ]);
  await world.sql.query(
    `insert into connector_status (station_id, evse_id, connector_id, status, received_at, epoch, seq) values ($1, 1, 1, 'Available', '2026-05-01T10:31:00Z', 5, 2)`,
    [station?.id],
  );
  await world.redis.hset(stationOwner(id as StationIdentity), { node, epoch: 5 });
  expect((await mine()).body.online).toBe(false); // the node's lease does not stand
  await world.redis.set(nodeLease(node), "{}", "PX", 60_000);

  const shown = await mine();
  expect(shown.body).toMatchObject({
    online: true,
    last_seen_at: "2026-05-01T10:31:00.000Z",
    // It could be raised: the unit came in over TLS.
    security_profile: 1,
    connection: {
      remote_address: "192.0.2.7",
      security_profile: 2,
      ocpp_version: "2.0.1",
      notes: ["trailing-slash"],
      opened_at: "2026-05-01T10:30:00.000Z",
      closed_at: null,
    },
    connectors: [{ evse_id: 1, connector_id: 1, status: "Available" }],
  });
  expect((await world.ask("GET", `/api/v1/charge-points/${id}`, { as: key })).body).toEqual(shown.body);
  const listed = (await world.ask("GET", `/api/v1/installer/projects/${projectId}/charge-points`, { as: token })).body
    .charge_points;
  expect(listed).toMatchObject([{ charge_point_id: id, online: true }]);
  expect(
    (
      await world.ask(
        "GET",
        "/api/v1/charge-points?online=true&vendor=alpitronic&q=hyc&ocpp_version=2.0.1&status=registered",
        { as: key },
      )
    ).body.charge_points,
  ).toEqual(listed);
  expect((await world.ask("GET", "/api/v1/charge-points?online=false", { as: key })).body.charge_points).toEqual([]);
});

test("a rotated password replaces the old one at the gateways at once", async () => {
  const { register, token, projectId } = await registeringInstaller(world);
  const { body: registered } = await register();
  const path = `/api/v1/installer/charge-points/${registered.charge_point_id}/rotate-password`;
  const rotated = await world.ask("POST", path, { as: token });
  expect(rotated).toMatchObject({ status: 200, body: { charge_point_id: registered.charge_point_id } });
  const verifiers = (await recordOf(world, registered.charge_point_id))?.verifiers ?? [];
  const works = (password: string) => passwordMatches(Buffer.from(password), verifiers, world.config.peppers);
  expect([works(registered.provisioning_password), works(rotated.body.provisioning_password)]).toEqual([false, true]);
  await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
    projectId,
  ]);
  expect(await world.ask("POST", path, { as: token })).toMatchObject({
    status: 409,
    body: { code: "project_handed_over" },
  });
});

test("what was registered can be corrected; another OCPP version reaches the gateways", async () => {
  const { register, token, projectId } = await registeringInstaller(world);
  const [first, second] = [await register(), await register({ serial_number: "SN-2" })];
  const path = `/api/v1/installer/charge-points/${first.body.charge_point_id}`;
  const patch = (body: object) => world.ask("PATCH", path, { as: token, body });
  expect(await patch({ ocpp_version: "1.6", connector_count: 3, max_power_kw: 22.5, location: null })).toMatchObject({
    status: 200,
    body: {
      ocpp_version: "1.6",
      connector_count: 3,
      max_power_kw: 22.5,
      location: null,
      serial_number: UNIT.serial_number,
      ocpp_endpoint: expect.stringContaining("/ocpp/1.6/"),
    },
  });
  expect((await recordOf(world, first.body.charge_point_id))?.ocppVersions).toEqual(["1.6"]);
  expect(second.status).toBe(201);
  expect(await patch({ serial_number: "SN-2" })).toMatchObject({
    status: 409,
    body: { code: "duplicate_serial_number" },
  });
  await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
    projectId,
  ]);
  expect(await patch({ connector_count: 1 })).toMatchObject({ status: 409, body: { code: "project_handed_over" } });
});
