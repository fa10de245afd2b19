import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

describe("an Idempotency-Key", () => {
  const create = (
    as: string,
    key: string,
    body: object = { name: "Once", site_address: "Street 1", charge_points_expected: 1 },
  ) => world.ask("POST", "/api/v1/projects", { as, body, headers: { "idempotency-key": key } });

  test("[E17] gives the first answer again and does nothing twice", async () => {
    const { key } = await world.organization();
    const first = await create(key, "a-key");
    const again = await create(key, "a-key");
    expect([again.status, again.body, again.headers.get("location")]).toEqual([
      201,
      first.body,
      first.headers.get("location"),
    ]);
    expect([first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")]).toEqual([
      null,
      "true",
    ]);
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toHaveLength(1);
  });

  test("[E17] with another body is refused", async () => {
    const { key } = await world.organization();
    await create(key, "a-key");
    expect(
      await create(key, "a-key", { name: "Other", site_address: "Street 1", charge_points_expected: 1 }),
    ).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
  });

  test("[E3] [E17] of another caller is another key", async () => {
    const [one, two] = [await world.organization(), await world.organization()];
    expect((await create(one.key, "shared")).body.project_id).not.toBe(
      (await create(two.key, "shared")).body.project_id,
    );
  });

  test("[E17] used twice at the same moment runs once", async () => {
    const { key } = await world.organization();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(key, "at-once")));
    for (const { status, body } of answers) expect(status === 201 || body.code === "idempotency_running").toBe(true);
    expect(new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.project_id)).size).toBe(1);
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toHaveLength(1);
  });

  test("[E17] [E19] brings back the password that a phone lost, kept sealed", async () => {
    const { key } = await world.organization();
    const { installerId, token } = await world.installer();
    const body = {
      project_id: await world.project(key, installerId),
      serial_number: "S1",
      model: "M",
      vendor: "V",
      ocpp_version: "1.6",
      connector_count: 1,
    };
    const register = () =>
      world.ask("POST", "/api/v1/installer/charge-points", {
        as: token,
        body,
        headers: { "idempotency-key": "phone" },
      });
    const [first, again] = [await register(), await register()];
    expect(again.body).toEqual(first.body);
    const rows = await world.sql.query<{ sealed_answer: string }>(
      "select sealed_answer from idempotency_keys where caller = $1",
      [installerId],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.sealed_answer).not.toContain(first.body.provisioning_password);
  });

  test("[E17] of work that a fault broke off is told as unknown: nobody knows what was committed, and nothing is done twice", async () => {
    const { key } = await world.organization();
    // At the commit itself: the caller's process sees a connection that breaks, and no answer.
    await world.sql.query(`
      create function break_off() returns trigger language plpgsql as $$ begin
        if new.name = 'Broken' then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if;
        return null;
      end $$`);
    await world.sql.query(
      "create constraint trigger break_off after insert on projects deferrable initially deferred for each row execute function break_off()",
    );
    const body = { name: "Broken", site_address: "Street 1", charge_points_expected: 1 };
    expect((await create(key, "broken", body)).status).toBe(503);
    await world.sql.query("drop trigger break_off on projects");
    expect(await create(key, "broken", body)).toMatchObject({ status: 409, body: { code: "idempotency_unknown" } });
    expect((await world.ask("GET", "/api/v1/projects", { as: key })).body.projects).toEqual([]);
  });

  test("[E17] of work that was not begun may be used again", async () => {
    const { key } = await world.organization();
    await world.sql.query(`
      create function no_audit() returns trigger language plpgsql as $$ begin
        raise exception using errcode = '53100', message = 'no space left';
      end $$`);
    await world.sql.query("create trigger no_audit before insert on audit_log execute function no_audit()");
    expect((await create(key, "unbegun")).status).toBe(503);
    await world.sql.query("drop trigger no_audit on audit_log");
    expect((await create(key, "unbegun")).status).toBe(201);
  });

  test("that is no key is refused", async () => {
    const { key } = await world.organization();
    expect(await create(key, "with space")).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "header:Idempotency-Key" }] },
    });
  });
});
