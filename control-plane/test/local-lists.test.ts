// Local authorization lists as stations accepted them, and the sync that gives them the organisation's tokens.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes, settingScene } from "./command-scene.ts";

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(() => scenes.end());
afterAll(() => world.close());

const stationWith = (version: Parameters<typeof settingScene>[1], response?: Parameters<typeof settingScene>[2]) =>
  settingScene(scenes, version, response);

describe("local lists", () => {
  const entry16 = (idTag: string, status = "Accepted") => ({ idTag, idTagInfo: { status } });
  const tokens = (list: { entries: { id_token: string; status: string }[] }) =>
    list.entries.map((entry) => `${entry.id_token} ${entry.status}`);

  test("1.6: a full list replaces, a differential one changes, a refused one changes nothing", async () => {
    const { send, shows } = await stationWith("1.6", (command) => ({
      status: command.payload?.includes("REFUSE") ? "VersionMismatch" : "Accepted",
    }));
    expect(await shows("local-list")).toMatchObject({ version: null, entries: [], in_step: null });
    await send("SendLocalList", {
      listVersion: 3,
      updateType: "Full",
      localAuthorizationList: [entry16("B"), entry16("a")],
    });
    await send("SendLocalList", {
      listVersion: 4,
      updateType: "Differential",
      localAuthorizationList: [{ idTag: "b" }, entry16("A", "Blocked"), entry16("C")],
    });
    await send("SendLocalList", { listVersion: 9, updateType: "Full", localAuthorizationList: [entry16("REFUSE")] });
    const list = await shows("local-list");
    expect(list).toMatchObject({ version: 4, entries_known: true, last_result: "VersionMismatch" });
    expect(tokens(list)).toEqual(["A Blocked", "C Accepted"]);
    const page = await shows("local-list?limit=1");
    expect(tokens(await shows(`local-list?limit=1&cursor=${page.next_cursor}`))).toEqual(["C Accepted"]);
  });

  test("2.x: the version that the station reports shows a mismatch", async () => {
    let versionNumber = 2;
    const { send, shows } = await stationWith("2.0.1", (command) =>
      command.action === "GetLocalListVersion" ? { versionNumber } : { status: "Accepted" },
    );
    const localAuthorizationList = [
      {
        idToken: { idToken: "T1", type: "ISO14443" },
        idTokenInfo: { status: "Accepted", groupIdToken: { idToken: "G", type: "Central" } },
      },
    ];
    await send("SendLocalList", { versionNumber: 2, updateType: "Full", localAuthorizationList });
    expect(await shows("local-list")).toMatchObject({ version: 2, in_step: null });
    await send("GetLocalListVersion", {});
    expect(await shows("local-list")).toMatchObject({
      reported_version: 2,
      in_step: true,
      entries: [{ id_token: "T1", id_token_type: "ISO14443", group_id_token: "G" }],
    });
    versionNumber = 0;
    await send("GetLocalListVersion", {});
    expect(await shows("local-list")).toMatchObject({ version: 2, reported_version: 0, in_step: false });
  });

  test("a change on top of a list that is not ours is known to be one", async () => {
    const { send, shows } = await stationWith("2.1");
    await send("SendLocalList", { versionNumber: 8, updateType: "Differential" });
    expect(await shows("local-list")).toMatchObject({ version: 8, entries_known: false });
  });

  async function syncing(version: "1.6" | "2.0.1", response?: Parameters<typeof settingScene>[2]) {
    const scene = await stationWith(version, response);
    await world.sql.query(
      `insert into id_tokens (org_id, token, status, type) select $1, 'tag' || n, 'Accepted', case when n = 5 then 'VIN' end from generate_series(1, 5) n`,
      [scene.orgId],
    );
    await world.sql.query(`update id_tokens set spelling = 'TAG2' where org_id = $1 and token = 'tag2'`, [scene.orgId]);
    await world.sql.query(`insert into id_tokens (org_id, token, status) values ($1, $2, 'Accepted')`, [
      scene.orgId,
      "x".repeat(30),
    ]);
    const sync = (body: object = {}) =>
      world.ask("POST", `/api/v1/charge-points/${scene.id}/local-list/sync`, { as: scene.key, body });
    /** The jobs process's part: each further command of the station takes one that waits along. */
    const deliver = async () => {
      const unfinished = async () => {
        const { commands } = (await scene.get(`/api/v1/cpo/commands/${scene.id}?action=SendLocalList`)).body;
        return commands.some((command: { status: string }) => ["queued", "sent"].includes(command.status));
      };
      while (await unfinished())
        await scene.operator({ command: "soft_reset", deliver: "when_connected", timeout_seconds: 1 });
    };
    return { ...scene, sync, deliver };
  }

  test("a sync gives a station the organisation's tokens, in as many messages as it needs", async () => {
    const { sync, shows, gateway, deliver } = await syncing("1.6");
    const { status, body } = await sync({ items_per_message: 2 });
    expect([status, body]).toEqual([
      202,
      {
        command_ids: [expect.any(String), expect.any(String), expect.any(String)],
        first_version: 1,
        last_version: 3,
        tokens: 5,
        skipped: 1,
      },
    ]);
    expect((await sync()).body.code).toBe("conflict");
    await deliver();
    const list = await shows("local-list");
    expect(list).toMatchObject({ version: 3, entries_known: true });
    expect(tokens(list)).toEqual(["tag1", "TAG2", "tag3", "tag4", "tag5"].map((token) => `${token} Accepted`));
    expect(
      gateway.sent
        .filter((command) => command.action === "SendLocalList")
        .map((command) => JSON.parse(command.payload!).updateType),
    ).toEqual(["Full", "Differential", "Differential"]);
  });

  test("a sync does not wait for those who file what the station says, nor they for it", async () => {
    const { sync, stationId } = await syncing("1.6");
    const intake = await world.pool.connect();
    try {
      await intake.query("begin");
      // As a row with a foreign key to it does.
      await intake.query("select 1 from stations where id = $1 for key share", [stationId]);
      expect((await sync()).status).toBe(202);
    } finally {
      await intake.query("rollback");
      intake.release();
    }
  });

  test("the first part that is not accepted ends the others", async () => {
    const { sync, gateway, deliver, get } = await syncing("2.0.1", (command) => ({
      status: command.action === "SendLocalList" ? "Failed" : "Accepted",
    }));
    const { body } = await sync({ items_per_message: 2 });
    expect(body).toMatchObject({ tokens: 5, skipped: 1, last_version: 3 });
    await deliver();
    const states = await Promise.all(
      body.command_ids.map(async (id: string) => (await get(`/api/v1/commands/${id}`)).body.status),
    );
    expect(states).toEqual(["rejected", "not_connected", "not_connected"]);
    expect(gateway.sent.filter((command) => command.action === "SendLocalList")).toHaveLength(1);
  });
});
