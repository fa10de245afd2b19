import { decodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../ids.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { recordOf, registeringInstaller } from "./registering-installer.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

describe("a unit that was registered by mistake", () => {
  const listed = async (path: string, as: string) =>
    (await world.ask("GET", path, { as })).body.charge_points.map(
      (unit: { charge_point_id: string }) => unit.charge_point_id,
    );

  test("is taken out of the project by its installer: refused, closed, counted no more, and its serial number is free", async () => {
    const { register, token, key, projectId } = await registeringInstaller(world);
    const { body: wrong } = await register();
    const { body: kept } = await register({ serial_number: "SN-2" });
    const identity = wrong.charge_point_id as StationIdentity;
    const node = `gw-${newId("evt")}`;
    await world.redis.hset(stationOwner(identity), { node, epoch: 5 });
    await world.redis.set(nodeLease(node), "{}", "PX", 60_000);
    const heard = await hearNode(node);
    const path = `/api/v1/installer/charge-points/${identity}`;

    expect((await world.ask("DELETE", path, { as: token })).status).toBe(204);
    expect(await heard.next()).toMatchObject({ kind: "close", identity, belowEpoch: 6, reason: "revoked" });
    await heard.stop();
    expect((await recordOf(world, identity))?.retired).toBe(true);
    expect(await world.ask("DELETE", path, { as: token })).toMatchObject({
      status: 404,
      body: { code: "charge_point_not_found" },
    });
    expect((await world.ask("GET", path, { as: token })).status).toBe(404);
    expect((await world.ask("GET", `/api/v1/charge-points/${identity}`, { as: key })).status).toBe(404);
    expect(await listed(`/api/v1/installer/projects/${projectId}/charge-points`, token)).toEqual([
      kept.charge_point_id,
    ]);
    expect(await listed("/api/v1/charge-points", key)).toEqual([kept.charge_point_id]);
    expect((await world.ask("GET", `/api/v1/projects/${projectId}`, { as: key })).body.charge_points_registered).toBe(
      1,
    );
    // What it sent is still shown.
    expect((await world.ask("GET", `/api/v1/charge-points/${identity}/messages`, { as: key })).status).toBe(200);

    const again = await register();
    expect(again.status).toBe(201);
    expect(again.body.charge_point_id).not.toBe(identity);
    expect(await register()).toMatchObject({
      status: 409,
      body: { code: "duplicate_serial_number", charge_point_id: again.body.charge_point_id },
    });
  });

  test("is not taken out after the handover by an installer, but retired by its operator", async () => {
    const { register, token, key, projectId } = await registeringInstaller(world);
    const { body: unit } = await register();
    await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
      projectId,
    ]);
    const id = unit.charge_point_id;
    expect(await world.ask("DELETE", `/api/v1/installer/charge-points/${id}`, { as: token })).toMatchObject({
      status: 409,
      body: { code: "project_handed_over" },
    });
    const stranger = await world.organization();
    const path = `/api/v1/charge-points/${id}`;
    expect((await world.ask("DELETE", path, { as: stranger.key })).status).toBe(404);
    const reader = await world.organization(["read:charge_points"]);
    expect(await world.ask("DELETE", path, { as: reader.key })).toMatchObject({ body: { code: "missing_scope" } });
    expect((await world.ask("DELETE", path, { as: key })).status).toBe(204);
    expect((await world.ask("DELETE", path, { as: key })).status).toBe(404);
    expect((await recordOf(world, id))?.retired).toBe(true);
  });

  test("ends its commissioning, and stands in the way of the handover no more", async () => {
    const { register, token, key, orgId, projectId } = await registeringInstaller(world);
    const { body: wrong } = await register();
    const started = await world.ask("POST", `/api/v1/installer/commissioning/${wrong.charge_point_id}/start`, {
      as: token,
      body: {},
    });
    expect(started.status).toBe(202);
    const { body: good } = await register({ serial_number: "SN-2" });
    await world.sql.query(
      `insert into commissionings (id, station_id, project_id, installer_id, status, run_connectivity_test, run_meter_calibration, completed_at)
       select $2, id, project_id, registered_by, 'completed', true, true, now() from stations where charge_point_id = $1`,
      [good.charge_point_id, newId("comm")],
    );
    const handOver = () =>
      world.ask("POST", `/api/v1/installer/projects/${projectId}/complete-handover`, {
        as: token,
        body: { signed_by: "Alex", site_contact_name: "Sarah", site_contact_email: "s.owen@riversidebp.co.uk" },
      });
    expect(await handOver()).toMatchObject({
      status: 409,
      body: {
        code: "handover_blocked",
        charge_points: [{ charge_point_id: wrong.charge_point_id }],
        remedy: expect.stringContaining("DELETE /api/v1/installer/charge-points/{charge_point_id}"),
      },
    });
    expect((await world.ask("DELETE", `/api/v1/charge-points/${wrong.charge_point_id}`, { as: key })).status).toBe(204);
    const [ended] = await world.sql.query<{ status: string; open: number }>(
      `select c.status, (select count(*)::int from commissioning_checks k where k.commissioning_id = c.id and k.status in ('pending', 'in_progress')) as open
       from commissionings c where c.id = $1`,
      [started.body.commissioning_id],
    );
    expect(ended).toEqual({ status: "failed", open: 0 });
    expect(
      await world.sql.query("select type from events where org_id = $1 and type = 'commissioning.failed'", [orgId]),
    ).toHaveLength(1);
    expect((await handOver()).status).toBe(200);
  });
});

/** What a gateway node hears on its channel of commands. */
async function hearNode(nodeId: string) {
  const subscriber = world.redis.duplicate({ enableOfflineQueue: true });
  const heard = new Promise<unknown>((resolve) =>
    subscriber.on("smessage", (_channel, text: string) => resolve(heardMessage(text))),
  );
  await subscriber.ssubscribe(nodeCommands(nodeId));
  return { next: () => heard, stop: async () => subscriber.disconnect() };
}

function heardMessage(text: string): unknown {
  const decoded = decodeNodeMessage(text);
  return decoded.ok ? decoded.value : decoded.error;
}
