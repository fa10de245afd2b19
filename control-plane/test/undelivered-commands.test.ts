// Queued commands that did not reach their station: they wait on where nothing was sent, and never go out after their time.
import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { afterAll, afterEach, expect, test } from "vitest";
import { cancelWaitingCommands } from "../commands/cancel-command.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { inTransaction } from "../database.ts";
import { ACCEPTED, startQueueScene } from "./queue-scene.ts";

const scene = await startQueueScene();
const {
  log,
  pool,
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

test("what a connection did not take waits for the next one, and is sent once", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  gateway.unwilling = "the connection is gone";
  await gateway.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  expect(await answerOf(id)).toMatchObject({ status: "queued", sent_at: null });
  // The same connection is not asked again, however often somebody looks.
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  const next = await gatewayWith();
  await next.hold(station.identity);
  await deliverAll(station);
  expect(await stateOf(id)).toBe("accepted");
  expect([gateway.heard.length, gateway.sent.length, next.sent.length]).toEqual([1, 0, 1]);
});

test("the word that it was not sent comes twice, on the channel and through the lane: it goes on waiting", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  gateway.unwilling = "the connection is gone";
  const epoch = await gateway.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  for (const state of ["not_connected", "unknown"] as const) {
    const again = { commandId: id, outcome: { state }, at: new Date(), epoch };
    expect(await inTransaction(pool, (sql) => recordCommandOutcome(sql, again, { log }))).toBe(false);
  }
  expect(await stateOf(id)).toBe("queued");
  const next = await gatewayWith();
  await next.hold(station.identity);
  await deliverAll(station);
  expect(await stateOf(id)).toBe("accepted");
});

test("a command that is claimed for the next connection meanwhile is not put back by those who meant the former one", async () => {
  const station = await newStation();
  const id = await queue(station);
  const gateway = await gatewayWith();
  const epoch = await gateway.hold(station.identity);
  await opened(station, epoch, "2.0.1");
  const other = await pool.connect();
  try {
    // Another process, with the word of the connection that came next, is about to commit its claim.
    await other.query("begin");
    await other.query("update commands set state = 'published', node_id = 'next', epoch = $2 where id = $1", [
      id,
      epoch + 1,
    ]);
    const stale = delivery.deliverNext(station.id);
    await expect
      .poll(async () => (await pool.query("select 1 from pg_locks where not granted")).rowCount)
      .toBeGreaterThan(0);
    await other.query("commit");
    expect(await stale).toBeUndefined();
  } finally {
    other.release();
  }
  expect(await stateOf(id)).toBe("published");
});

test("[1.7.3] the late word of a former connection changes nothing for the attempt on the next one", async () => {
  const station = await newStation();
  const first = await gatewayWith();
  first.unwilling = "the connection is gone";
  const epoch = await first.hold(station.identity);
  const id = await queue(station);
  await (
    await delivery.deliverNext(station.id)
  )?.settled;
  const second = await gatewayWith(() => undefined);
  await second.hold(station.identity);
  const sent = await delivery.deliverNext(station.id);
  await expect.poll(() => second.sent.length).toBe(1);
  const late = { commandId: id, outcome: { state: "not_connected" } as const, at: new Date(), epoch };
  expect(await inTransaction(pool, (sql) => recordCommandOutcome(sql, late, { log }))).toBe(false);
  await expect.poll(() => stateOf(id)).toBe("sent");
  const known = { commandId: id, outcome: ACCEPTED, at: new Date() };
  expect(await inTransaction(pool, (sql) => recordCommandOutcome(sql, known, { log }))).toBe(true);
  await sent?.settled;
});

test("past its time a command is not sent any more, and ends as not_connected", async () => {
  const station = await newStation();
  const id = await queue(station);
  await pool.query(
    "update commands set valid_until = now() - interval '10 seconds', deadline_at = now() - interval '10 seconds' where id = $1",
    [id],
  );
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  await endOverdueCommands(pool, 100, { log });
  expect(await answerOf(id)).toMatchObject({
    status: "not_connected",
    reason: "the charge point did not connect in time",
  });
  expect(gateway.heard).toEqual([]);
});

test("a process that dies right behind the claim leaves a command that ends as unknown, and the queue goes on", async () => {
  const station = await newStation();
  const gateway = await gatewayWith();
  const epoch = await gateway.hold(station.identity);
  const [lost, next] = [await queue(station), await queue(station)];
  await pool.query(
    "update commands set state = 'published', node_id = 'dead', epoch = $2, deadline_at = now() - interval '1 minute' where id = $1",
    [lost, epoch],
  );
  expect(await delivery.deliverNext(station.id)).toBeUndefined();
  await endOverdueCommands(pool, 100, { log });
  expect(await stateOf(lost)).toBe("unknown");
  await deliverAll(station);
  expect(gateway.sent.map((command) => command.commandId)).toEqual([next]);
});

test("a secret that was sealed with another key ends as not_connected, for nothing was sent; the queue goes on", async () => {
  const station = await newStation();
  const id = await queue(station, {
    action: "ChangeConfiguration",
    payload: { key: "AuthorizationKey", value: "0011223344556677" },
  });
  const next = await queue(station);
  const gateway = await gatewayWith();
  await gateway.hold(station.identity);
  await opened(station, 1);
  const withAnotherKey = await startProcess(parseSecretsKey(Buffer.alloc(32, 8).toString("base64")));
  expect(await withAnotherKey.deliverNext(station.id)).toBeUndefined();
  expect(await answerOf(id)).toMatchObject({
    status: "not_connected",
    reason: expect.stringContaining("SECRETS_KEY"),
    sent_at: null,
  });
  expect(gateway.heard).toEqual([]);
  await agoWoken();
  expect(await due()).toContain(station.id);
  await (
    await withAnotherKey.deliverNext(station.id)
  )?.settled;
  expect([await stateOf(next), gateway.sent.map((sent) => sent.commandId)]).toEqual(["accepted", [next]]);
});

test("a station that came back with another OCPP version cannot get what was planned for the former one", async () => {
  const station = await newStation();
  const id = await queue(station);
  const gateway = await gatewayWith();
  await opened(station, await gateway.hold(station.identity), "2.0.1");
  await deliverAll(station);
  expect(await answerOf(id)).toMatchObject({ status: "not_connected", reason: expect.stringContaining("version") });
  expect(gateway.heard).toEqual([]);
});

test("what waits for a unit that was replaced or retired is not for the next one", async () => {
  const station = await newStation();
  const [mine, other] = [await queue(station), await queue(await newStation())];
  await inTransaction(pool, (sql) => cancelWaitingCommands(sql, station.id, "the hardware was replaced"));
  expect(await answerOf(mine)).toMatchObject({ status: "not_connected", reason: "the hardware was replaced" });
  expect(await stateOf(other)).toBe("queued");
});
