// Passwords that operators send in commands of their own: the gateways know them before the station does.
import { randomUUID } from "node:crypto";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import { queueCommand } from "../commands/queue-command.ts";
import { preparePasswordCommand } from "../credentials/prepare-password-command.ts";
import { inTransaction } from "../database.ts";
import { startFakeGateway } from "./fake-gateway.ts";
import { accepted, OLD, type PasswordScene, startPasswordScene } from "./password-scene.ts";

let scene: PasswordScene;
let { world, pool, station, relay, advance } = {} as PasswordScene;
beforeAll(async () => {
  scene = await startPasswordScene();
  ({ world, pool, station, relay, advance } = scene);
});
afterAll(() => scene.close());

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
