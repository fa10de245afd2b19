import {
  COMMAND_FORMAT,
  decodeCommandReport,
  encodeNodeMessage,
  sealedPayloadContext,
  type CommandMessage,
  type CommandReport,
} from "@dynamo-csms/proto/command-message";
import { askerReports, nodeCommands } from "@dynamo-csms/proto/redis-keys";
import { parseSecretsKey, seal } from "@dynamo-csms/proto/sealed-secret";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type World } from "./world.ts";

const ASKER = `asker-${process.pid}`;
const SECRETS_KEY = Buffer.alloc(32, 9).toString("base64");

let world: World;
let gateway: GatewayProcess;
let ear: Redis;
const reports: CommandReport[] = [];
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway({ SECRETS_KEY });
  ear = new Redis(process.env["TEST_REDIS_URL"] ?? "", { protocol: 2 });
  ear.on("smessage", (_channel: string, text: string) => {
    const report = decodeCommandReport(text);
    if (report.ok) reports.push(report.value);
  });
  await ear.ssubscribe(askerReports(ASKER));
});
afterAll(async () => {
  ear.disconnect();
  await world.close();
});

let commands = 0;
async function scene(record: Partial<StationRecord> = {}) {
  const station = await world.register({ record });
  const connection = await connectStation(gateway.url, station);
  const received: unknown[][] = [];
  connection.ws.on("message", (data: Buffer) => received.push(JSON.parse(data.toString()) as unknown[]));
  const epoch = Number((await world.owner(station.identity)).epoch);
  const commandId = `cmd_${++commands}`;
  const publish = (changes: Partial<CommandMessage> = {}) => {
    const message: CommandMessage = {
      v: COMMAND_FORMAT,
      kind: "command",
      commandId,
      identity: station.identity,
      epoch,
      version: "1.6",
      action: "ChangeConfiguration",
      payload: '{"key":"HeartbeatInterval","value":"60"}',
      callTimeoutMs: 30_000,
      deadlineAtMs: Date.now() + 30_000,
      askerId: ASKER,
      ...changes,
    };
    return world.redis.spublish(nodeCommands(gateway.nodeId), encodeNodeMessage(message));
  };
  const kinds = () => reports.filter((report) => report.commandId === commandId).map(({ kind }) => kind);
  const outcome = () => {
    const last = reports.findLast((report) => report.commandId === commandId && report.kind === "outcome");
    return last?.kind === "outcome" ? last.outcome : undefined;
  };
  return { ...connection, station, received, epoch, commandId, publish, kinds, outcome };
}

test("[F7] a command is received, sent and answered, each reported at once and for good, with both frames in the lane", async () => {
  const { ws, received, publish, kinds, outcome, commandId, station } = await scene();
  expect(await publish()).toBe(1);
  await until("the station has it", () => received.length === 1);
  expect(received[0]).toEqual([2, commandId, "ChangeConfiguration", { key: "HeartbeatInterval", value: "60" }]);
  ws.send(`[3, "${commandId}", {"status":"RebootRequired"}]`);
  await until("the outcome", () => outcome() !== undefined);
  // That it was sent says that it was received.
  expect(kinds()).toEqual(["sent", "outcome"]);
  expect(outcome()).toMatchObject({ state: "accepted", response: '{"status":"RebootRequired"}' });

  await until("all stored", async () => (await world.stored(station.identity)).length === 5);
  const frames = await world.stored(station.identity);
  expect(
    frames.map(({ kind, text }) => (kind === "event" ? (JSON.parse(text) as { event: string }).event : kind)),
  ).toEqual(["opened", "outbound", "commandSent", "inbound", "commandOutcome"]);
  expect(frames[3]?.text).toBe(`[3, "${commandId}", {"status":"RebootRequired"}]`);
});

test("what is left of its time counts from receipt, whatever the sender's clock says", async () => {
  const behind = await scene();
  await behind.publish({ deadlineAtMs: Date.now() - 3_600_000, validForMs: 30_000 });
  await until("the station has it", () => behind.received.length === 1);
  const ahead = await scene();
  await ahead.publish({ deadlineAtMs: Date.now() + 3_600_000, validForMs: 0 });
  await until("it is over", () => ahead.outcome() !== undefined);
  expect(ahead.outcome()).toMatchObject({ state: "not_connected" });
  expect(ahead.received).toEqual([]);
});

test("published twice it is sent once; asked again afterwards, its outcome is told again", async () => {
  const { ws, received, publish, kinds, outcome, commandId } = await scene();
  await publish();
  await publish();
  await until("both acknowledged", () => kinds().includes("sent") && kinds().includes("received"));
  ws.send(JSON.stringify([3, commandId, { status: "Accepted" }]));
  await until("the outcome", () => outcome() !== undefined);
  await publish();
  await until("told again", () => kinds().filter((kind) => kind === "outcome").length === 2);
  expect(received).toHaveLength(1);
});

// Broken once on purpose: without the comparison of the epoch (command-listener.ts, onCommand) it fails: "received",
// "sent" for "notHere".
test("[I5] [B7] a command for another epoch is not here", async () => {
  const { received, publish, kinds, epoch, call } = await scene();
  await publish({ epoch: epoch - 1 });
  await until("answered", () => kinds().length > 0);
  expect(kinds()).toEqual(["notHere"]);
  await call("beat", "Heartbeat", {});
  expect(received).toHaveLength(1);
});

// Broken once on purpose: with the payload stored as it was sent (outgoing-calls.ts, send) it fails: no "***" in the lane.
test("[I12] a sealed payload reaches the station, and nothing of it the lane", async () => {
  const { ws, received, publish, outcome, commandId, station } = await scene();
  const payload = '{"key":"AuthorizationKey","value":"hunter2hunter2hunter2"}';
  const sealedPayload = seal(parseSecretsKey(SECRETS_KEY), sealedPayloadContext(commandId), payload);
  const message = encodeNodeMessage({
    v: COMMAND_FORMAT,
    kind: "command",
    commandId,
    identity: station.identity,
    epoch: Number((await world.owner(station.identity)).epoch),
    version: "1.6",
    action: "ChangeConfiguration",
    sealedPayload,
    secretPaths: ["value"],
    callTimeoutMs: 30_000,
    deadlineAtMs: Date.now() + 30_000,
    askerId: ASKER,
  });
  void publish;
  await world.redis.spublish(nodeCommands(gateway.nodeId), message);
  await until("the station has it", () => received.length === 1);
  expect(received[0]?.[3]).toEqual({ key: "AuthorizationKey", value: "hunter2hunter2hunter2" });
  ws.send(JSON.stringify([3, commandId, { status: "Accepted" }]));
  await until("the outcome", () => outcome() !== undefined);
  await until("all stored", async () => (await world.stored(station.identity)).length === 5);
  const texts = (await world.stored(station.identity)).map(({ text }) => text).join("\n");
  expect(texts).toContain('"value":"***"');
  expect(texts + JSON.stringify(gateway.log) + JSON.stringify(reports)).not.toContain("hunter2");
});

test("a payload that this node cannot open, or that breaks the schema, is never sent", async () => {
  const one = await scene();
  await one.publish({ payload: "{}" });
  await until("its outcome", () => one.outcome() !== undefined);
  expect(one.outcome()).toMatchObject({ state: "not_connected", reason: expect.stringContaining("is missing") });
  const other = await scene();
  await other.publish({ action: "Heartbeat", payload: "{}" });
  await until("its outcome", () => other.outcome() !== undefined);
  expect(other.outcome()).toMatchObject({ state: "not_connected" });
  await until("stored", async () =>
    (await world.stored(other.station.identity)).some(({ text }) => text.includes("commandOutcome")),
  );
  expect([...one.received, ...other.received]).toEqual([]);
});

test("[C10] [F2] the station's CALL and ours cross, and both are answered", async () => {
  const { ws, received, publish, outcome, commandId, call } = await scene();
  await publish();
  await until("ours is open", () => received.length === 1);
  expect((await call("mine", "Heartbeat", {}))[0]).toBe(3);
  ws.send(JSON.stringify([3, commandId, { status: "Accepted" }]));
  await until("the outcome", () => outcome() !== undefined);
});

test("[B7] the connection ends after the CALL was sent: unknown, in the lane as well", async () => {
  const { ws, received, publish, outcome, station } = await scene();
  await publish();
  await until("the station has it", () => received.length === 1);
  ws.terminate();
  await until("the outcome", () => outcome() !== undefined);
  expect(outcome()).toMatchObject({ state: "unknown" });
  await until("stored", async () =>
    (await world.stored(station.identity)).some(({ text }) => text.includes('"unknown"')),
  );
});

test("revoked: only a connection with a lower epoch is closed", async () => {
  const { closed, station, epoch, call } = await scene();
  const close = (belowEpoch: number) =>
    world.redis.spublish(
      nodeCommands(gateway.nodeId),
      encodeNodeMessage({
        v: COMMAND_FORMAT,
        kind: "close",
        identity: station.identity,
        belowEpoch,
        reason: "revoked",
      }),
    );
  await close(epoch);
  expect((await call("still here", "Heartbeat", {}))[0]).toBe(3);
  await close(epoch + 1);
  expect((await closed).code).toBe(1008);
});

test("a message that this build does not understand disturbs nothing", async () => {
  const { publish, kinds } = await scene();
  for (const text of ["", "{", "[]", '{"v":99,"kind":"command"}', '{"v":1,"kind":"later"}'])
    await world.redis.spublish(nodeCommands(gateway.nodeId), text);
  await publish();
  await until("heard", () => kinds().includes("sent"));
});

test("[1.4-pending] [1.4-early-calls] while Pending the channel stays open for what we ask, and no session is started", async () => {
  const pending = await scene({ registration: "pending" });
  const { ws, received, publish, outcome, commandId, call } = pending;
  expect((await call("early", "MeterValues", METER_VALUES)).slice(0, 3)).toEqual([4, "early", "SecurityError"]);
  await publish({ commandId: `${commandId}-start`, action: "RemoteStartTransaction", payload: '{"idTag":"A"}' });
  await publish({ action: "TriggerMessage", payload: '{"requestedMessage":"MeterValues"}' });
  await until("it is asked", () => received.length === 2);
  expect(received[1]?.slice(0, 3)).toEqual([2, commandId, "TriggerMessage"]);
  ws.send(JSON.stringify([3, commandId, { status: "Accepted" }]));
  await until("the outcome", () => outcome() !== undefined);
  expect(await call("asked for", "MeterValues", METER_VALUES)).toEqual([3, "asked for", {}]);
  expect((await call("not asked for", "Heartbeat", {})).slice(0, 3)).toEqual([4, "not asked for", "SecurityError"]);
  expect(ws.readyState).toBe(ws.OPEN);
  const refused = reports.find((report) => report.commandId === `${commandId}-start` && report.kind === "outcome");
  expect(refused).toMatchObject({ outcome: { state: "not_connected" } });
});

test("[1.4-rejected] to a rejected station nothing is sent, and its BootNotification is still heard", async () => {
  const { received, publish, outcome, call } = await scene({ registration: "rejected" });
  await publish({ action: "TriggerMessage", payload: '{"requestedMessage":"BootNotification"}' });
  await until("the outcome", () => outcome() !== undefined);
  expect(outcome()).toMatchObject({ state: "not_connected" });
  const boot = { chargePointVendor: "Acme", chargePointModel: "One" };
  expect((await call("boot", "BootNotification", boot))[0]).toBe(3);
  expect(received).toHaveLength(1);
});

const METER_VALUES = {
  connectorId: 1,
  meterValue: [{ timestamp: "2026-01-01T00:00:00Z", sampledValue: [{ value: "1" }] }],
};
