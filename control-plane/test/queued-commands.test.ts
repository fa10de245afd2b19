// Commands that wait for their station: sent once, in order, when it is connected.
import { type CommandMessage, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { unseal } from "@dynamo-csms/proto/sealed-secret";
import { Registry } from "prom-client";
import { afterAll, afterEach, expect, test } from "vitest";
import { createCommandMetrics } from "../commands/command-metrics.ts";
import { createQueuedCommandsWork, createQueuedDelivery } from "../commands/deliver-queued.ts";
import { resolveOwner } from "../commands/resolve-owner.ts";
import { wakeWaitingCommands } from "../commands/waiting-commands.ts";
import { sqlOn } from "../database.ts";
import { ACCEPTED, startQueueScene } from "./queue-scene.ts";

const scene = await startQueueScene();
const {
  secretsKey,
  log,
  pool,
  redis,
  delivery,
  startProcess,
  gatewayWith,
  newStation,
  opened,
  queue,
  stateOf,
  answerOf,
  deliverAll,
  due,
  agoWoken,
} = scene;
afterEach(() => scene.endTest());
afterAll(() => scene.close());

test("a command waits while its station is away, and is sent when it is connected", async () => {
  const station = await newStation();
  const id = await queue(station);
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  expect(await answerOf(id)).toMatchObject({ status: "queued", deliver: "when_connected" });
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  expect(await answerOf(id)).toMatchObject({ status: "accepted", response: { status: "Accepted" } });
  expect(gateway.sent).toMatchObject([{ commandId: id, action: "Reset", payload: '{"type":"Soft"}' }]);
});

test("two jobs processes send each command once, one at a time", async () => {
  const station = await newStation();
  let open = 0;
  let most = 0;
  const gateway = await gatewayWith(async () => {
    most = Math.max(most, (open += 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    open -= 1;
    return ACCEPTED;
  });
  await gateway.hold(station.identity);
  const ids = [await queue(station), await queue(station), await queue(station), await queue(station)];
  const second = await startProcess();
  await Promise.all(
    [delivery, second, delivery, second].map(async (process) => {
      for (;;) {
        const sent = await process.deliverNext(station.id);
        await sent?.settled;
        if ((await Promise.all(ids.map(stateOf))).every((state) => state === "accepted")) return;
      }
    }),
  );
  expect(gateway.sent.map((command) => command.commandId)).toEqual(ids);
  expect(most).toBe(1);
});

test("operators' commands go before the control plane's own, each in their order", async () => {
  const station = await newStation();
  const report = await queue(station, { requestedBy: "system:base-report", action: "ClearCache", payload: {} });
  const ids = [await queue(station), await queue(station)];
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await deliverAll(station);
  expect(gateway.sent.map((command) => command.commandId)).toEqual([...ids, report]);
});

test("a process that follows as many commands as it may claims no more, and looks again soon", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  const id = await queue(station);
  const busy = createQueuedDelivery({
    pool,
    sender: { full: true, follow: () => Promise.reject(new Error("it follows no more")) },
    resolveOwner: (identity) => resolveOwner(redis, identity),
    secretsKey,
    askerId: "test-busy",
    metrics: createCommandMetrics(new Registry()),
    log,
  });
  await agoWoken();
  expect(await busy.deliverNext(station.id)).toBeUndefined();
  expect(await stateOf(id)).toBe("queued");
  const { rows } = await pool.query<{ soon: boolean }>(
    "select wake_at between now() and now() + interval '10 seconds' as soon from commands where id = $1",
    [id],
  );
  expect(rows).toEqual([{ soon: true }]);
});

test.each([
  ["[1.4-rejected] a rejected station gets nothing", "rejected", "Reset", { type: "Soft" }, 0],
  ["one that never booted gets nothing", "unknown", "Reset", { type: "Soft" }, 0],
  ["[1.4-pending] a pending one is asked", "pending", "Reset", { type: "Soft" }, 1],
  ["[1.4-pending] and its sessions are left alone", "pending", "RemoteStopTransaction", { transactionId: 7 }, 0],
])("%s", async (_, registration, action, payload, times) => {
  const station = await newStation(registration);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await queue(station, { action, payload });
  await deliverAll(station);
  expect(gateway.sent).toHaveLength(times);
});

test("not before its time, and not twice with the same key while one waits", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  const later = await queue(station, { notBefore: new Date(Date.now() + 60_000), dedupeKey: "report" });
  expect(await queue(station, { dedupeKey: "report" })).toBeUndefined();
  await deliverAll(station);
  expect([await stateOf(later), gateway.sent.length]).toEqual(["queued", 0]);
  await pool.query("update commands set not_before = now() where id = $1", [later]);
  await deliverAll(station);
  expect(await stateOf(later)).toBe("accepted");
  expect(await queue(station, { dedupeKey: "report" })).toBeDefined();
});

test("a command that another process has in hand is not waited for", async () => {
  const station = await newStation();
  const id = await queue(station);
  await agoWoken();
  const other = await pool.connect();
  await other.query("begin");
  await other.query("select 1 from commands where id = $1 for update", [id]);
  // The station is away, so it would be put aside.
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  await other.query("rollback");
  other.release();
  const dueStill = "select 1 from commands where id = $1 and wake_at <= now()";
  expect((await pool.query(dueStill, [id])).rows).toHaveLength(1);
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  expect((await pool.query(dueStill, [id])).rows).toEqual([]);
});

test("[1.2-not-echoed] a secret waits sealed, and goes out sealed", async () => {
  const station = await newStation();
  const payload = { key: "AuthorizationKey", value: "00112233445566778899" };
  const id = await queue(station, { action: "ChangeConfiguration", payload });
  const { rows } = await pool.query<{ row: string }>("select c::text as row from commands c where id = $1", [id]);
  expect(rows[0]?.row).not.toContain(payload.value);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await deliverAll(station);
  const [heard] = gateway.heard as [CommandMessage];
  expect(heard).toMatchObject({ secretPaths: ["value"] });
  expect(heard.payload).toBeUndefined();
  expect(JSON.parse(unseal(secretsKey, sealedPayloadContext(id), heard.sealedPayload!))).toEqual(payload);
});

test("the sweep puts the commands of stations that are away aside, and a connection brings them back", async () => {
  const [away, here] = [await newStation(), await newStation()];
  await opened(here, 1);
  for (const station of [away, here]) await queue(station);
  await agoWoken();
  expect(await due()).toContain(here.id);
  await agoWoken();
  const second = await due();
  expect([second.includes(away.id), second.includes(here.id)]).toEqual([false, true]);
  // Aside: found by no sweep until its connection opens.
  await opened(away, 1);
  expect(await due()).not.toContain(away.id);
  await wakeWaitingCommands(sqlOn(pool), [away.id]);
  expect(await due()).toContain(away.id);
});

test("the work sends what is due and wakes itself for what follows", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  await opened(station, await gateway.hold(station.identity));
  const ids = [await queue(station), await queue(station), await queue(station)];
  await agoWoken();
  const work = createQueuedCommandsWork({
    pool,
    delivery,
    wakeUps: { wake: (_work, id) => void work.run(id) },
  });
  expect(await work.due(1_000)).toContain(station.id);
  await work.run(station.id);
  await expect.poll(() => Promise.all(ids.map(stateOf))).toEqual(["accepted", "accepted", "accepted"]);
  expect(gateway.sent.map((command) => command.commandId)).toEqual(ids);
});
