import { afterAll, beforeAll, expect, test } from "vitest";
import { startApiProcess } from "./api-process.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const PROJECT = { name: "Once", site_address: "Street 1", charge_points_expected: 1 };

test("[E17] a process that dies between the effect and its answer: nothing is done twice, and nobody is told that it was not done", async () => {
  const { key, keyId, orgId } = await world.organization();
  const headers = {
    "idempotency-key": "interrupted",
    authorization: `Bearer ${key}`,
    "content-type": "application/json",
  };
  const dying = await startApiProcess(world.env, "update idempotency_keys");
  const cut = fetch(`${dying.url}/api/v1/projects`, { method: "POST", headers, body: JSON.stringify(PROJECT) });
  await expect(cut).rejects.toThrow();
  expect(await dying.ended).toBe("SIGKILL");

  const again = () => world.ask("POST", "/api/v1/projects", { headers, body: PROJECT });
  const projects = async () => (await world.sql.query("select 1 from projects where org_id = $1", [orgId])).length;
  expect(await projects()).toBe(1);
  const soon = await again();
  expect([soon.status, soon.body.code]).toEqual([409, "idempotency_running"]);
  expect(Number(soon.headers.get("retry-after"))).toBeGreaterThan(0);
  await world.sql.query("update idempotency_keys set created_at = now() - interval '10 minutes' where caller = $1", [
    keyId,
  ]);
  const later = await again();
  expect([later.status, later.body.code]).toEqual([409, "idempotency_unknown"]);
  expect(later.body.remedy).toContain("Look whether it was done");
  expect(await projects()).toBe(1);
});

test("[E17] the same key with another path is another request", async () => {
  const { key } = await world.organization();
  const { body } = await world.ask("POST", "/api/v1/projects", {
    as: key,
    headers: { "idempotency-key": "k" },
    body: PROJECT,
  });
  const elsewhere = await world.ask("POST", `/api/v1/projects/${body.project_id}/reopen`, {
    as: key,
    headers: { "idempotency-key": "k" },
    body: { reason: "again" },
  });
  expect([elsewhere.status, elsewhere.body.code]).toEqual([422, "idempotency_mismatch"]);
});
