// Password changes over OCPP: a station is never locked out, whatever becomes of the command (J16 §6.2.2; 2.x A01).
import { randomUUID } from "node:crypto";
import { type CommandOutcome, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import { unseal } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { matchPassword } from "@dynamo-csms/proto/station-password";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import { Redis } from "ioredis";
import type pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import { queueCommand } from "../commands/queue-command.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { endOverdueCommands } from "../commands/sweep-deadlines.ts";
import { confirmLogins } from "../credentials/confirm-logins.ts";
import { passwordIn } from "../credentials/new-password.ts";
import { preparePasswordCommand } from "../credentials/prepare-password-command.ts";
import { rotateCredentials } from "../credentials/rotate-credentials.ts";
import { advancePasswordChanges } from "../credentials/send-password-change.ts";
import { inTransaction, openPool } from "../database.ts";
import { replacePassword } from "../stations/provisioning-password.ts";
import { relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { startFakeGateway } from "./fake-gateway.ts";

let world: ApiWorld;
let pool: pg.Pool;
const log = pino({ level: "silent" });
const OLD = "provisioned-password";

beforeAll(async () => {
  world = await startApiWorld();
  pool = openPool(world.config.databaseUrl, 10, "test");
});
afterAll(async () => {
  await pool.end();
  await world.close();
});

let made = 0;

/** A station that logs in with OLD, and what a gateway and the station itself would see of it. */
async function station(version: "1.6" | "2.0.1" | "2.1" = "1.6") {
  const { key, orgId } = await world.organization();
  const id = `cp-rotation-${++made}`;
  const [row] = await world.sql.query<{ id: string }>(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, serial_number, vendor, model, ocpp_version, connector_count)
     values ($1, $1, $1, $2, $1, 'V', 'M', $3, 1) returning id::text as id`,
    [id, orgId, version],
  );
  const stationId = row!.id;
  const { peppers, secretsKey } = world.config;
  await inTransaction(pool, async (sql) => {
    await replacePassword(sql, stationId, OLD, peppers);
    await requestRegistryWrite(sql, stationId);
  });
  await relay();
  const record = async () =>
    decodeStationRecord((await world.redis.hget(stationRecord(id as StationIdentity), "record"))!);
  const unit = {
    id,
    key,
    orgId,
    stationId,
    record,
    rotate: () => world.ask("POST", `/api/v1/charge-points/${id}/rotate-credentials`, { as: key }),
    status: async () => (await world.ask("GET", `/api/v1/charge-points/${id}/credential-rotation`, { as: key })).body,
    commands: () =>
      world.sql.query<{ id: string; action: string; payload: object; sealed_payload: string | null; state: string }>(
        "select id, action, payload, sealed_payload, state from commands where station_id = $1 order by created_at",
        [stationId],
      ),
    /** The password in the newest command, as the station gets it. */
    async sentPassword(): Promise<string> {
      const command = (await unit.commands()).at(-1)!;
      return passwordIn(
        command.action,
        JSON.parse(unseal(secretsKey, sealedPayloadContext(command.id), command.sealed_payload!)),
      )!;
    },
    async end(outcome: CommandOutcome): Promise<void> {
      const { id: commandId } = (await unit.commands()).at(-1)!;
      await world.sql.query("update commands set state = 'sent' where id = $1 and $2 <> 'not_connected'", [
        commandId,
        outcome.state,
      ]);
      await world.sql.query("update commands set valid_until = now() where id = $1 and $2 = 'not_connected'", [
        commandId,
        outcome.state,
      ]);
      await inTransaction(pool, (sql) => recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log }));
      await relay();
    },
    /** What the gateways would let in; the intake hears of it as they tell it. */
    async login(wire: Buffer | string): Promise<boolean> {
      const match = matchPassword(Buffer.from(wire as string), (await record()).verifiers, peppers);
      if (match?.asSent !== true) return false;
      await inTransaction(pool, (sql) =>
        confirmLogins(sql, [{ stationId, verifier: match.verifier.digest.slice(0, 16) }]),
      );
      await relay();
      return true;
    },
    /** Who would be let in, without anybody coming in. */
    async accepts(wire: Buffer | string): Promise<boolean> {
      return matchPassword(Buffer.from(wire as string), (await record()).verifiers, peppers)?.asSent === true;
    },
  };
  return unit;
}

const relay = () => relayRegistryOutbox({ pool, redis: world.redis, heartbeatIntervalSeconds: 300, limit: 1_000 });
const advance = async () => {
  await world.sql.query("update password_changes set next_step_at = now() where next_step_at is not null");
  await advancePasswordChanges({ pool, secretsKey: world.config.secretsKey, limit: 100 });
};
const accepted = { state: "accepted" as const, response: '{"status":"Accepted"}' };
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

test("[1.2-key-change] a key that an operator sends word by word is known to the gateways before the station", async () => {
  const unit = await station();
  const key = "00112233445566778899aabbccddeeff00112233";
  const seen: boolean[] = [];
  const gateway = await startFakeGateway(process.env["TEST_REDIS_URL"] as string, `node-${randomUUID()}`, async () => {
    seen.push(await unit.accepts(Buffer.from(key, "hex")), await unit.accepts(OLD));
    return accepted;
  });
  await gateway.hold(unit.id as StationIdentity);
  const send = (value: string) =>
    world.ask("POST", "/api/v1/ocpp16/send_command", {
      as: unit.key,
      body: { charge_point_id: unit.id, command: "ChangeConfiguration", payload: { key: "AuthorizationKey", value } },
    });
  expect(await send(key)).toMatchObject({ status: 200, body: { status: "accepted" } });
  await relay();
  expect(seen).toEqual([true, true]);
  expect([await unit.accepts(Buffer.from(key, "hex")), await unit.accepts(OLD)]).toEqual([true, false]);
  expect(await send("too-short")).toMatchObject({ status: 422 });
  await gateway.stop();
});

test("[D7] [1.2-key-change] a command that is there although its commit seemed to fail does not lock its station out", async () => {
  const unit = await station();
  const key = "ffeeddccbbaa99887766554433221100";
  const { peppers, secretsKey } = world.config;
  const registry = { pool, redis: world.redis, heartbeatIntervalSeconds: 300 };
  const command = {
    action: "ChangeConfiguration",
    payload: { key: "AuthorizationKey", value: key },
    requestedBy: "test",
  };
  const commandable = (await findCommandableStation(world.sql, unit.orgId, unit.id))!;
  const commandId = `cmd-${unit.id}`;
  const prepared = await preparePasswordCommand(
    { registry, secretsKey, peppers },
    { ...command, commandId, station: commandable },
  );
  const { stationId, orgId } = unit;
  await inTransaction(pool, (sql) =>
    queueCommand(sql, { ...command, commandId, stationId, orgId, version: "1.6" }, secretsKey),
  );
  if (prepared.ok) await prepared.value?.();
  await relay();
  expect([await unit.accepts(Buffer.from(key, "hex")), await unit.accepts(OLD)]).toEqual([true, true]);
  await unit.end(accepted);
  expect([await unit.accepts(Buffer.from(key, "hex")), await unit.accepts(OLD)]).toEqual([true, false]);
});

test("[1.2-key-change] a SetVariables that sets the password twice is not sent: no answer tells which one counts", async () => {
  const unit = await station("2.0.1");
  const set = (attributeValue: string) => ({
    attributeValue,
    component: { name: "SecurityCtrlr" },
    variable: { name: "BasicAuthPassword" },
  });
  const payload = { setVariableData: [set("one-password-of-20c"), set("other-password-of-20")] };
  const body = { charge_point_id: unit.id, command: "SetVariables", payload };
  expect(await world.ask("POST", "/api/v1/ocpp201/send_command", { as: unit.key, body })).toMatchObject({
    status: 422,
    body: { errors: [{ detail: "sets the password twice" }] },
  });
  expect(await unit.commands()).toEqual([]);
});

test("[1.2-key-change] an operator's key for a station that is away leaves nothing behind", async () => {
  const unit = await station();
  const body = {
    charge_point_id: unit.id,
    command: "ChangeConfiguration",
    payload: { key: "AuthorizationKey", value: "00112233445566778899aabbccddeeff" },
  };
  expect(await world.ask("POST", "/api/v1/ocpp16/send_command", { as: unit.key, body })).toMatchObject({
    body: { status: "not_connected" },
  });
  await advance();
  await relay();
  expect([await unit.accepts(OLD), await unit.accepts(Buffer.from("00112233445566778899aabbccddeeff", "hex"))]).toEqual(
    [true, false],
  );
  expect((await unit.rotate()).status).toBe(202);
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

test("[1.8-no-downgrade] a security profile goes up at the gateways at once, and down from 3 to 2 alone", async () => {
  const unit = await station();
  const patch = (body: object) => world.ask("PATCH", `/api/v1/charge-points/${unit.id}`, { as: unit.key, body });
  expect(await patch({ security_profile: 3, force: true })).toMatchObject({
    status: 200,
    body: { security_profile: 3 },
  });
  expect(await patch({ security_profile: 3 })).toMatchObject({ status: 200 });
  expect(await unit.record()).toMatchObject({
    securityProfile: 3,
    serialNumber: unit.id,
    organizationName: "ChargeCo",
  });
  expect(await patch({ security_profile: 2 })).toMatchObject({
    status: 409,
    body: { remedy: expect.stringContaining("allow_downgrade") },
  });
  expect(await patch({ security_profile: 2, allow_downgrade: true })).toMatchObject({ status: 200 });
  expect(await patch({ security_profile: 1, allow_downgrade: true })).toMatchObject({ status: 409 });
  expect(await patch({ security_profile: 4 })).toMatchObject({ status: 422 });
  expect((await unit.record()).securityProfile).toBe(2);
});
