// Tokens tell who charged where: whatever shows them masks them for keys without the scope read:id_tokens.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes, settingScene } from "./command-scene.ts";

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(() => scenes.end());
afterAll(() => world.close());

const SOON = new Date(Date.now() + 3_600_000).toISOString();
const CARD = "04A2B3C4D5E680";
const OTHER_CARD = "04A2B3C4D5E681";
const GROUP = "FLEET-0007";

const takeScope = (orgId: string) =>
  world.sql.query("update api_keys set scopes = array_remove(scopes, 'read:id_tokens') where org_id = $1", [orgId]);

test("reservations, local lists and commands, in whatever answer they stand", async () => {
  const scene = await settingScene(scenes, "1.6", { status: "Accepted", idTag: CARD });
  const { send, shows, get, operator, orgId, id } = scene;
  const reserve = { connectorId: 1, expiryDate: SOON, idTag: CARD, parentIdTag: GROUP, reservationId: 1 };
  const list = [CARD, OTHER_CARD].map((idTag) => ({ idTag, idTagInfo: { status: "Accepted", parentIdTag: GROUP } }));
  const sendList = { listVersion: 1, updateType: "Full", localAuthorizationList: list };
  const { command_id } = await send("ReserveNow", reserve);
  await send("SendLocalList", sendList);
  const answers = async () => [
    await shows("reservations"),
    await shows("local-list"),
    await shows("local-list?limit=1"),
    (await get(`/api/v1/commands/${command_id}`)).body,
    (await get(`/api/v1/cpo/commands/${id}`)).body,
    await send("ReserveNow", reserve),
    (await operator({ command: "start_session", parameters: { connector_id: 1, id_tag: CARD } })).body,
    (
      await world.ask("POST", "/api/v1/cpo/commands/bulk", {
        as: scene.key,
        body: {
          charge_point_ids: [id],
          command: "start_session",
          parameters: { connector_id: 1, id_tag: CARD },
        },
      })
    ).body,
  ];
  for (const answer of await answers()) expect(JSON.stringify(answer)).toContain(CARD);

  await takeScope(orgId);
  for (const answer of await answers()) {
    const text = JSON.stringify(answer);
    expect(text).toContain("04…80");
    for (const token of [CARD, OTHER_CARD, GROUP]) expect(text).not.toContain(token);
  }
  const first = await shows("local-list?limit=1");
  // Not even the cursor tells one.
  expect(Buffer.from(first.next_cursor, "base64url").toString().toLowerCase()).not.toContain("04a2");
  expect((await shows(`local-list?limit=1&cursor=${first.next_cursor}`)).entries).toMatchObject([
    { id_token: "04…81", group_id_token: "FL…07" },
  ]);
  expect((await get(`/api/v1/charge-points/${id}/local-list?cursor=${btoa('["-1"]')}`)).status).toBe(422);
});

test("a command that is cancelled is shown the same way", async () => {
  const { leave, raw, key, orgId } = await settingScene(scenes, "2.0.1");
  await leave();
  await takeScope(orgId);
  const { body } = await raw("ocpp201", {
    command: "ReserveNow",
    payload: { id: 1, expiryDateTime: SOON, idToken: { idToken: CARD, type: "ISO14443" } },
    deliver: "when_connected",
  });
  expect(body).toMatchObject({ status: "queued", payload: { idToken: { idToken: "04…80", type: "ISO14443" } } });
  const cancelled = await world.ask("DELETE", `/api/v1/commands/${body.command_id}`, { as: key });
  expect(cancelled.body).toMatchObject({ status: "not_connected", payload: body.payload });
});
