import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const QUICKSTART = {
  name: "Riverside Business Park — Phase 1",
  site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
  charge_points_expected: 6,
};
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

test("an operator creates a project and assigns an installer, who then sees it as the quickstart says", async () => {
  const { key } = await world.organization();
  const { installerId, token, email } = await world.installer();
  expect((await world.ask("GET", "/api/v1/installer/projects", { as: token })).body).toEqual({
    projects: [],
    next_cursor: null,
    has_more: false,
  });

  const created = await world.ask("POST", "/api/v1/projects", {
    as: key,
    body: { ...QUICKSTART, site_owner: { name: "Sarah Owen", email: "s.owen@riversidebp.co.uk" } },
  });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({
    project_id: expect.stringMatching(/^proj_[0-9a-z]{12}$/),
    ...QUICKSTART,
    status: "in_progress",
    site_owner: { name: "Sarah Owen", email: "s.owen@riversidebp.co.uk" },
  });
  const projectId = created.body.project_id;
  expect(created.headers.get("location")).toBe(`/api/v1/projects/${projectId}`);

  const assigned = await world.ask("POST", `/api/v1/projects/${projectId}/installers`, {
    as: key,
    body: { installer_id: installerId },
  });
  expect([assigned.status, assigned.body]).toEqual([
    201,
    { project_id: projectId, installer_id: installerId, assigned_at: ISO },
  ]);
  const again = await world.ask("POST", `/api/v1/projects/${projectId}/installers`, {
    as: key,
    body: { installer_id: installerId },
  });
  expect(again.body).toEqual(assigned.body);
  expect(
    await world.sql.query("select 1 from mails where template = 'installer_assigned' and recipient = $1", [email]),
  ).toHaveLength(1);

  const { body } = await world.ask("GET", "/api/v1/installer/projects", { as: token });
  expect(body).toEqual({
    projects: [
      {
        project_id: projectId,
        ...QUICKSTART,
        charge_points_commissioned: 0,
        status: "in_progress",
        assigned_at: assigned.body.assigned_at,
      },
    ],
    next_cursor: null,
    has_more: false,
  });
  expect((await world.ask("GET", `/api/v1/installer/projects/${projectId}`, { as: token })).body).toEqual({
    ...body.projects[0],
    charge_points_registered: 0,
    handed_over_at: null,
  });
  expect((await world.ask("GET", `/api/v1/projects/${projectId}`, { as: key })).body.installers).toEqual([
    {
      installer_id: installerId,
      full_name: "Alex Technician",
      company: "Acme EV Installations",
      assigned_at: assigned.body.assigned_at,
    },
  ]);
});

test("an installer who is taken off a project does not see it any more", async () => {
  const { key } = await world.organization();
  const { installerId, token } = await world.installer();
  const projectId = await world.project(key, installerId);
  const path = `/api/v1/projects/${projectId}/installers/${installerId}`;
  expect((await world.ask("DELETE", path, { as: key })).status).toBe(204);
  expect((await world.ask("DELETE", path, { as: key })).status).toBe(404);
  expect((await world.ask("GET", "/api/v1/installer/projects", { as: token })).body.projects).toEqual([]);
  expect(await world.ask("GET", `/api/v1/installer/projects/${projectId}`, { as: token })).toMatchObject({
    status: 404,
    body: { code: "project_not_found" },
  });
});

test("a project can be changed in part", async () => {
  const { key } = await world.organization();
  const projectId = await world.project(key);
  const changed = await world.ask("PATCH", `/api/v1/projects/${projectId}`, {
    as: key,
    body: { charge_points_expected: 8, site_owner: { name: "S", email: "s@example.org" } },
  });
  expect(changed).toMatchObject({
    status: 200,
    body: { charge_points_expected: 8, name: QUICKSTART.name, site_owner: { email: "s@example.org" } },
  });
  expect(
    (await world.ask("PATCH", `/api/v1/projects/${projectId}`, { as: key, body: { site_owner: null } })).body
      .site_owner,
  ).toBeNull();
});

test("a handed-over project is reopened with a reason, which is kept", async () => {
  const { key, keyId } = await world.organization();
  const projectId = await world.project(key);
  const reopen = () =>
    world.ask("POST", `/api/v1/projects/${projectId}/reopen`, { as: key, body: { reason: "Bay 3 was replaced." } });
  expect(await reopen()).toMatchObject({ status: 409, body: { code: "conflict" } });
  await world.sql.query("update projects set status = 'handed_over', handed_over_at = now() where id = $1", [
    projectId,
  ]);
  expect(await reopen()).toMatchObject({ status: 200, body: { status: "in_progress", handed_over_at: null } });
  expect(
    await world.sql.query("select api_key_id, reason from project_reopenings where project_id = $1", [projectId]),
  ).toEqual([{ api_key_id: keyId, reason: "Bay 3 was replaced." }]);
});

test("pages follow one another without gaps or repetitions, also with equal times", async () => {
  const { key, orgId } = await world.organization();
  for (let i = 0; i < 5; i++) await world.project(key);
  await world.sql.query("update projects set created_at = '2026-01-01T00:00:00.123456Z' where org_id = $1", [orgId]);
  const seen: string[] = [];
  let cursor = "";
  do {
    const { status, body } = await world.ask("GET", `/api/v1/projects?limit=2${cursor && `&cursor=${cursor}`}`, {
      as: key,
    });
    expect(status).toBe(200);
    expect(body.has_more).toBe(body.next_cursor !== null);
    seen.push(...body.projects.map((project: { project_id: string }) => project.project_id));
    cursor = body.next_cursor ?? "";
  } while (cursor !== "");
  expect(new Set(seen).size).toBe(5);
  expect(seen).toHaveLength(5);
});

test("lists are filtered", async () => {
  const { key } = await world.organization();
  const { installerId } = await world.installer();
  const [mine] = [await world.project(key, installerId), await world.project(key)];
  const { body } = await world.ask("GET", `/api/v1/projects?installer_id=${installerId}&status=in_progress`, {
    as: key,
  });
  expect(body.projects.map((project: { project_id: string }) => project.project_id)).toEqual([mine]);
  expect((await world.ask("GET", "/api/v1/projects?status=handed_over", { as: key })).body.projects).toEqual([]);
});

test("an API key gives out only what it has, is shown once, and ends when it is revoked", async () => {
  const { key } = await world.organization(["read:api_keys", "write:api_keys", "read:projects"]);
  const refused = await world.ask("POST", "/api/v1/org/api-keys", {
    as: key,
    body: { name: "more", scopes: ["write:projects"] },
  });
  expect(refused).toMatchObject({ status: 403, body: { code: "missing_scope" } });

  const made = await world.ask("POST", "/api/v1/org/api-keys", {
    as: key,
    body: { name: "reader", scopes: ["read:projects"], expires_at: "2099-01-01T00:00:00Z" },
  });
  expect(made).toMatchObject({
    status: 201,
    body: {
      id: expect.stringMatching(/^key_/),
      key: expect.stringMatching(/^dyn_live_[0-9A-Za-z]{49}$/),
      scopes: ["read:projects"],
      expires_at: "2099-01-01T00:00:00Z",
    },
  });
  expect((await world.ask("GET", "/api/v1/projects", { headers: { "x-api-key": made.body.key } })).status).toBe(200);
  expect(await world.ask("POST", "/api/v1/projects", { as: made.body.key, body: QUICKSTART })).toMatchObject({
    status: 403,
    body: { required_scope: "write:projects" },
  });

  const { body } = await world.ask("GET", "/api/v1/org/api-keys", { as: key });
  const listed = body.keys.find((entry: { id: string }) => entry.id === made.body.id);
  expect(listed).toMatchObject({ last4: made.body.key.slice(-4), last_used_at: ISO });
  expect(JSON.stringify(body)).not.toContain(made.body.key);
  expect(body.total).toBe(2);

  expect((await world.ask("DELETE", `/api/v1/org/api-keys/${made.body.id}`, { as: key })).status).toBe(204);
  expect(await world.ask("GET", "/api/v1/projects", { as: made.body.key })).toMatchObject({
    status: 401,
    body: { code: "invalid_api_key" },
  });
});

test("an expired key, and one with a typing mistake, are refused", async () => {
  const { key, keyId } = await world.organization();
  expect(
    (await world.ask("GET", "/api/v1/projects", { as: `${key.slice(0, -1)}${key.endsWith("a") ? "b" : "a"}` })).status,
  ).toBe(401);
  await world.sql.query("update api_keys set expires_at = now() - interval '1 second' where id = $1", [keyId]);
  expect((await world.ask("GET", "/api/v1/projects", { as: key })).status).toBe(401);
});
