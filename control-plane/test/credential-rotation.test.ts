// Password changes over OCPP: a station is never locked out, whatever becomes of the command (J16 §6.2.2; 2.x A01).
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { rotateCredentials } from "../credentials/rotate-credentials.ts";
import { inTransaction } from "../database.ts";
import { replacePassword } from "../stations/provisioning-password.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { accepted, OLD, type PasswordScene, startPasswordScene } from "./password-scene.ts";

let scene: PasswordScene;
let { log, world, pool, station, relay, advance } = {} as PasswordScene;
beforeAll(async () => {
  scene = await startPasswordScene();
  ({ log, world, pool, station, relay, advance } = scene);
});
afterAll(() => scene.close());

const setResult = (attributeStatus: string) => ({
  state: "accepted" as const,
  response: JSON.stringify({
    setVariableResult: [
      { attributeStatus, component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } },
    ],
  }),
});

test("[D7] [1.2-key-change] before anything is sent both passwords are accepted; on Accepted the old one is refused", async () => {
  const unit = await station("1.6");
  const begun = await unit.rotate();
  expect(begun).toMatchObject({ status: 202, body: { status: "queued", charge_point_id: unit.id, ended_at: null } });
  const key = await unit.sentPassword();
  expect(key).toMatch(/^[0-9a-f]{40}$/);
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from(key, "hex"))]).toEqual([true, true]);
  await unit.end(accepted);
  expect(await unit.status()).toMatchObject({ status: "accepted", ended_at: expect.any(String), confirmed_at: null });
  expect([await unit.accepts(OLD), await unit.login(Buffer.from(key, "hex"))]).toEqual([false, true]);
  expect(await unit.status()).toMatchObject({ status: "accepted", confirmed_at: expect.any(String) });
});

test("[1.2-key-change] [1.2-utf8-password] 2.x gets a text, and the status of the variable counts", async () => {
  const unit = await station("2.0.1");
  await unit.rotate();
  expect((await unit.commands())[0]?.action).toBe("SetVariables");
  const password = await unit.sentPassword();
  expect(password).toMatch(/^[A-Za-z0-9]{16,40}$/);
  await unit.end(setResult("Accepted"));
  expect([await unit.accepts(OLD), await unit.accepts(password)]).toEqual([false, true]);
});

test("[D7] [1.2-hex-key] a unit that sends the digits of its key instead of their bytes is not locked out either", async () => {
  const unit = await station("1.6");
  await unit.rotate();
  const key = await unit.sentPassword();
  await unit.end(accepted);
  expect(await unit.login(key)).toBe(true);
  // From then on it is known how this one sends it.
  expect([await unit.accepts(key), await unit.accepts(Buffer.from(key, "hex"))]).toEqual([true, false]);
  expect((await unit.record()).verifiers).toMatchObject([{ encoding: "literal" }]);
});

test.each([
  ["rejected", { state: "rejected", response: '{"status":"Rejected"}' }],
  ["rejected", { state: "rejected", response: '{"status":"NotSupported"}' }],
  ["not_sent", { state: "not_connected", reason: "the charge point did not connect in time" }],
] as const)("[D7] [1.2-key-change] %s: the old password stays, the new one is forgotten", async (status, outcome) => {
  const unit = await station();
  await unit.rotate();
  const key = await unit.sentPassword();
  await unit.end(outcome);
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from(key, "hex")), await unit.accepts(key)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(await unit.status()).toMatchObject({ status });
  expect((await unit.rotate()).status).toBe(202);
});

test.each([
  { state: "timeout" },
  { state: "unknown", reason: "the connection changed" },
  { state: "error", error: { code: "InternalError", description: "" } },
  {
    state: "error",
    response: '{"status":"accepted"}',
    error: { code: "PropertyConstraintViolation", description: "" },
  },
  { state: "accepted", response: '{"status":"RebootRequired"}' },
] as const)("[D7] [1.2-key-change] %j: both are accepted until the first login with the new one", async (outcome) => {
  const unit = await station();
  await unit.rotate();
  const key = Buffer.from(await unit.sentPassword(), "hex");
  await unit.end(outcome);
  expect(await unit.status()).toMatchObject({ status: "unconfirmed", ended_at: null });
  // It may have it and crash, or not have it: it comes back with either.
  expect([await unit.login(OLD), await unit.accepts(key)]).toEqual([true, true]);
  expect([await unit.login(key), await unit.accepts(OLD)]).toEqual([true, false]);
  expect(await unit.status()).toMatchObject({ status: "confirmed" });
});

test("[D7] a login with the new password that is heard of before the command's end counts; the end changes nothing more", async () => {
  const unit = await station();
  await unit.rotate();
  const key = Buffer.from(await unit.sentPassword(), "hex");
  expect(await unit.login(key)).toBe(true);
  await unit.end({ state: "rejected", response: '{"status":"Rejected"}' });
  expect([await unit.accepts(key), await unit.accepts(OLD)]).toEqual([true, false]);
  expect(await unit.commands()).toMatchObject([{ sealed_payload: null }]);
});

test("[D7] [1.2-key-change] the end of a command that nobody told its change is caught up with", async () => {
  const unit = await station();
  await unit.rotate();
  const key = Buffer.from(await unit.sentPassword(), "hex");
  // As a process of an older release writes it.
  await world.sql.query(
    `update commands set state = 'accepted', response = '{"status":"Accepted"}', final_at = now() - interval '2 minutes' where station_id = $1`,
    [unit.stationId],
  );
  await advance();
  await relay();
  expect(await unit.status()).toMatchObject({ status: "accepted" });
  expect([await unit.accepts(key), await unit.accepts(OLD)]).toEqual([true, false]);
});

test("[1.2-key-change] while nobody knows, the same password is sent again; a later no does not take it back", async () => {
  const unit = await station();
  await unit.rotate();
  const first = await unit.sentPassword();
  await unit.end({ state: "timeout" });
  await advance();
  expect(await unit.commands()).toHaveLength(2);
  expect(await unit.sentPassword()).toBe(first);
  await unit.end({ state: "rejected", response: '{"status":"Rejected"}' });
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from(first, "hex"))]).toEqual([true, true]);
  await advance();
  expect(await unit.commands()).toHaveLength(2);
  // An operator may have it sent once more: the same, for there is no room for a third.
  expect((await unit.rotate()).status).toBe(202);
  expect(await unit.sentPassword()).toBe(first);
  await unit.end(accepted);
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from(first, "hex"))]).toEqual([false, true]);
});

test("a second rotation waits for the first", async () => {
  const unit = await station();
  const [one, other] = await Promise.all([unit.rotate(), unit.rotate()]);
  expect([one.status, other.status].toSorted((a, b) => a - b)).toEqual([202, 409]);
  expect(await unit.rotate()).toMatchObject({ status: 409, body: { code: "conflict" } });
  expect(await unit.commands()).toHaveLength(1);
});

test("[1.2-key-change] without Redis nothing is sent; when the gateways know the new password, it is", async () => {
  const unit = await station();
  const nowhere = new Redis({
    port: 1,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  nowhere.on("error", () => {});
  const deps = {
    registry: { pool, redis: nowhere, heartbeatIntervalSeconds: 300 },
    secretsKey: world.config.secretsKey,
    peppers: world.config.peppers,
  };
  expect(
    await rotateCredentials(deps, { orgId: unit.orgId, chargePointId: unit.id, requestedBy: "test" }),
  ).toMatchObject({ ok: true });
  await advance();
  expect(await unit.commands()).toEqual([]);
  expect(await unit.status()).toMatchObject({ status: "preparing", command_id: null });
  await relay();
  await advance();
  expect(await unit.commands()).toHaveLength(1);
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from(await unit.sentPassword(), "hex"))]).toEqual([
    true,
    true,
  ]);
});

test("[D7] a new provisioning password ends a change that waits: its command goes to nobody", async () => {
  const unit = await station();
  await unit.rotate();
  const key = Buffer.from(await unit.sentPassword(), "hex");
  await inTransaction(pool, async (sql) => {
    await replacePassword(sql, unit.stationId, "typed-in-at-the-unit", world.config.peppers);
    await requestRegistryWrite(sql, unit.stationId);
  });
  await relay();
  expect([await unit.accepts("typed-in-at-the-unit"), await unit.accepts(OLD), await unit.accepts(key)]).toEqual([
    true,
    false,
    false,
  ]);
  await world.sql.query("update commands set deadline_at = deadline_at - interval '1 minute' where station_id = $1", [
    unit.stationId,
  ]);
  await endOverdueCommands(pool, 100, { log });
  expect(await unit.commands()).toMatchObject([{ state: "not_connected" }]);
  expect(await unit.status()).toMatchObject({ status: "replaced" });
  expect(await unit.accepts("typed-in-at-the-unit")).toBe(true);
});

test("[1.2-not-echoed] the new password is in no answer, no row that is not sealed, no event and no audit entry", async () => {
  const unit = await station("2.0.1");
  const begun = await unit.rotate();
  const password = await unit.sentPassword();
  const texts = [JSON.stringify(begun.body), JSON.stringify(await unit.status())];
  for (const path of [
    `/api/v1/cpo/commands/${unit.id}`,
    `/api/v1/commands/${begun.body.command_id}`,
    `/api/v1/charge-points/${unit.id}`,
    "/api/v1/audit-log",
  ])
    texts.push(JSON.stringify((await world.ask("GET", path, { as: unit.key })).body));
  const tables = await world.sql.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  for (const { name } of tables)
    texts.push(JSON.stringify(await world.sql.query(`select t::text as row from "${name}" t`)));
  for (const text of texts) expect(text).not.toContain(password);
  expect(texts.join()).toContain(unit.id);
  await unit.end(setResult("Accepted"));
  // Once it is over, the sealed copies are gone too.
  expect(await unit.commands()).toMatchObject([{ sealed_payload: null }]);
  const kept = await world.sql.query(
    "select 1 from password_changes where station_id = $1 and sealed_password is not null",
    [unit.stationId],
  );
  expect(kept).toEqual([]);
});

test("[D8] another organisation's station is not found", async () => {
  const [mine, theirs] = [await station(), await station()];
  const path = `/api/v1/charge-points/${mine.id}`;
  expect((await world.ask("POST", `${path}/rotate-credentials`, { as: theirs.key })).status).toBe(404);
  expect((await world.ask("PATCH", path, { as: theirs.key, body: { security_profile: 2 } })).status).toBe(404);
  expect(await mine.commands()).toEqual([]);
});
