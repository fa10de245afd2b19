import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes } from "./command-scene.ts";

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const NEW_PROJECT = { name: "Riverside Car Park", site_address: "1 River Street", charge_points_expected: 6 };

async function entriesOf(key: string, query = ""): Promise<Record<string, unknown>[]> {
  const { status, body } = await world.ask("GET", `/api/v1/audit-log${query}`, { as: key });
  expect({ status, body }).toMatchObject({ status: 200 });
  return body.entries;
}

test("an action is on record with its actor, its target, and the state before and after", async () => {
  const { key, keyId } = await world.organization();
  const owner = { name: "Sam Owner", email: "sam@example.com" };
  const made = await world.ask("POST", "/api/v1/projects", { as: key, body: { ...NEW_PROJECT, site_owner: owner } });
  expect(made.status).toBe(201);
  const id = made.body.project_id as string;
  const changed = await world.ask("PATCH", `/api/v1/projects/${id}`, { as: key, body: { charge_points_expected: 8 } });
  expect(changed.status).toBe(200);

  const [change, creation] = await entriesOf(key);
  expect(change).toMatchObject({
    actor: { kind: "api_key", id: keyId },
    target: { kind: "project_id", id },
    outcome: "done",
    status: 200,
    request: { charge_points_expected: 8 },
    before: { charge_points_expected: 6, status: "in_progress" },
    after: { charge_points_expected: 8, status: "in_progress" },
    request_id: changed.headers.get("x-request-id"),
  });
  expect(creation).toMatchObject({
    target: { kind: "project_id", id },
    before: null,
    after: { name: NEW_PROJECT.name },
  });
  expect(JSON.stringify([change, creation])).not.toMatch(/Sam Owner|sam@example/);
});

test("what was refused is on record as refused, and reading leaves nothing", async () => {
  const { key } = await world.organization();
  const answer = await world.ask("PATCH", "/api/v1/projects/proj_000000000000", { as: key, body: { name: "x" } });
  expect(answer.status).toBe(404);
  await world.ask("GET", "/api/v1/projects", { as: key });
  expect(await entriesOf(key)).toMatchObject([{ outcome: "refused", status: 404, after: null }]);
});

test("[E3] an entry about another organisation's thing tells nothing of it", async () => {
  const owner = await world.organization();
  const made = await world.ask("POST", "/api/v1/projects", { as: owner.key, body: NEW_PROJECT });
  const id = made.body.project_id as string;
  const stranger = await world.organization();
  const answer = await world.ask("PATCH", `/api/v1/projects/${id}`, { as: stranger.key, body: { name: "x" } });
  expect(answer.status).toBe(404);
  const entries = await entriesOf(stranger.key);
  expect(entries).toMatchObject([
    { target: { kind: "project_id", id }, outcome: "refused", before: null, after: null },
  ]);
});

test("what installers do is on record at the organisation whose project it is, without secrets", async () => {
  const { key } = await world.organization();
  const { token, installerId } = await world.installer();
  const project = await world.ask("POST", "/api/v1/projects", { as: key, body: NEW_PROJECT });
  const path = `/api/v1/projects/${project.body.project_id}/installers`;
  expect((await world.ask("POST", path, { as: key, body: { installer_id: installerId } })).status).toBe(201);
  const unit = await world.ask("POST", "/api/v1/installer/charge-points", {
    as: token,
    body: {
      project_id: project.body.project_id,
      serial_number: "SN-1",
      model: "M",
      vendor: "V",
      ocpp_version: "1.6",
      max_power_kw: 22,
      connector_count: 2,
    },
  });
  expect(unit.status).toBe(201);
  const [registration] = await entriesOf(key, `?target_id=${unit.body.charge_point_id}`);
  expect(registration).toMatchObject({
    actor: { kind: "installer", id: installerId },
    action: "registerChargePoint",
    outcome: "done",
    after: { serial_number: "SN-1" },
  });
  expect(JSON.stringify(registration)).not.toContain(unit.body.provisioning_password);
  const other = await world.organization();
  expect(await entriesOf(other.key)).toEqual([]);
});

test("[E17] a repeated request with the same Idempotency-Key is one action", async () => {
  const { key } = await world.organization();
  const ask = () =>
    world.ask("POST", "/api/v1/projects", { as: key, body: NEW_PROJECT, headers: { "idempotency-key": "once" } });
  expect((await ask()).body.project_id).toBe((await ask()).body.project_id);
  expect(await entriesOf(key, "?action=createProject")).toHaveLength(1);
});

test("a command is looked at while its entry is written, and goes out behind it", async () => {
  const { operator, gateway, orgId } = await scenes.scene("1.6");
  const holder = await world.pool.connect();
  await holder.query("begin");
  await holder.query("lock table audit_log in exclusive mode");
  const answer = operator({ command: "unlock_connector", parameters: { connector_id: 1 } });
  const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
  await expect.poll(async () => (await world.sql.query(waiting)).length).toBe(1);
  // Long enough for what it would do without.
  await sleep(100);
  expect(await world.sql.query("select 1 from commands where org_id = $1", [orgId])).toEqual([]);
  expect(gateway.sent).toEqual([]);
  await holder.query("commit");
  holder.release();
  expect((await answer).body).toMatchObject({ status: "accepted" });
  await scenes.end();
});

test("without its entry a command is not sent", async () => {
  const { operator, gateway, orgId } = await scenes.scene("1.6");
  await world.sql.query(`
    create function no_audit() returns trigger language plpgsql as $$ begin
      raise exception using errcode = '53100', message = 'no space left';
    end $$`);
  await world.sql.query("create trigger no_audit before insert on audit_log execute function no_audit()");
  expect((await operator({ command: "unlock_connector", parameters: { connector_id: 1 } })).status).toBe(503);
  await world.sql.query("drop trigger no_audit on audit_log");
  expect(gateway.sent).toEqual([]);
  expect(await world.sql.query("select 1 from commands where org_id = $1", [orgId])).toEqual([]);
  await scenes.end();
});

test("entries can be neither changed nor deleted", async () => {
  const { key } = await world.organization();
  await world.ask("POST", "/api/v1/projects", { as: key, body: NEW_PROJECT });
  const [entry] = await entriesOf(key);
  for (const statement of [
    `update audit_log set outcome = 'refused' where id = $1`,
    `update audit_log set actor_id = 'key_other' where id = $1`,
    `delete from audit_log where id = $1`,
  ])
    await expect(world.sql.query(statement, [entry?.["audit_id"]])).rejects.toThrow("append-only");
  await expect(world.sql.query(`truncate audit_log`)).rejects.toThrow("append-only");
});

test("pages go on where they stopped", async () => {
  const { key } = await world.organization();
  for (let i = 0; i < 3; i += 1)
    await world.ask("POST", "/api/v1/projects", { as: key, body: { ...NEW_PROJECT, name: `Depot ${i}` } });
  const first = await world.ask("GET", "/api/v1/audit-log?limit=2", { as: key });
  const second = await world.ask("GET", `/api/v1/audit-log?limit=2&cursor=${first.body.next_cursor}`, { as: key });
  const names = [...first.body.entries, ...second.body.entries].map((e: { after: { name: string } }) => e.after.name);
  expect(names).toEqual(["Depot 2", "Depot 1", "Depot 0"]);
  expect(second.body.has_more).toBe(false);
});
