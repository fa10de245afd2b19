import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

test("a closed account is nobody's: tokens end, the person is erased, and the address is free", async () => {
  const { key } = await world.organization();
  const email = "leaving@canary.example";
  const { token, installerId } = await world.installer(email);
  const projectId = await world.project(key, installerId);
  const close = (password: string) =>
    world.ask("POST", "/api/v1/installer/me/close", { as: token, body: { password } });

  expect(await close("not-this-one")).toMatchObject({ status: 401, body: { code: "invalid_credentials" } });
  expect((await close(SIGN_UP.password)).status).toBe(204);
  expect((await world.ask("GET", "/api/v1/installer/me", { as: token })).status).toBe(401);
  for (const table of ["installers", "mails", "installer_tokens", "audit_log", "events"])
    expect(
      await world.sql.query(`select 1 from ${table} t where strpos(lower(t::text), 'leaving@canary') > 0`),
    ).toEqual([]);
  expect(await world.sql.query(`select 1 from project_installers where project_id = $1`, [projectId])).toEqual([]);
  const login = { email, password: SIGN_UP.password };
  expect((await world.ask("POST", "/api/v1/installer/login", { body: login })).status).toBe(401);
  expect((await world.installer(email)).installerId).not.toBe(installerId);
});
