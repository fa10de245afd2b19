import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import type { Message } from "./outbox.ts";
import { seededRandom } from "./random.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { Story16 } from "./story-1.6.ts";
import { Story2x } from "./story-2.x.ts";
import type { Story, Teller } from "./story.ts";

const VERSIONS: OcppVersion[] = ["1.6", "2.0.1", "2.1"];

function scene(version: OcppVersion, { authorized = "Accepted" } = {}) {
  const said: { action: string; key: string; payload: Record<string, unknown> }[] = [];
  const scene = { connected: true, story: undefined as unknown as Story, said };
  const held: Message[] = [];
  let atMs = Date.parse("2026-06-01T00:00:00Z");
  let numbers = 0;
  let transactions = 0;
  const answer = (message: Message) => {
    said.push({ action: message.action, key: message.key, payload: message.payload() });
    const info = version === "1.6" ? "idTagInfo" : "idTokenInfo";
    const transactionId = message.action === "StartTransaction" ? (transactions += 1) : undefined;
    message.answered?.({ [info]: { status: authorized }, ...(transactionId && { transactionId }) });
  };
  const teller: Teller = {
    settings: DEFAULT_SETTINGS,
    identity: "CP-1",
    idTag: "FLEET-TAG",
    say: (message) => (scene.connected ? answer(message) : void held.push(message)),
    isConnected: () => scene.connected,
    transactionMessages: () => held.length,
    timestamp: () => new Date((atMs += 1_000)).toISOString(),
    random: seededRandom(7),
    nextNumber: () => (numbers += 1),
  };
  scene.story = version === "1.6" ? new Story16(teller) : new Story2x(teller);
  return {
    ...scene,
    disconnect: () => void (scene.connected = false),
    connect: () => {
      scene.connected = true;
      held.splice(0).forEach(answer);
      scene.story.reconnected(0);
    },
    tell: (times: number) => {
      for (let n = 0; n < times; n++) scene.story.tell();
    },
  };
}

const mistakesIn = (version: OcppVersion, said: ReturnType<typeof scene>["said"]) =>
  said.flatMap(({ action, payload }) => {
    const refusal = validatePayload(version, action, "request", JSON.parse(JSON.stringify(payload)));
    return refusal === undefined ? [] : [`${action}: ${refusal.description}`];
  });

describe.each(VERSIONS)("a station of OCPP %s", (version) => {
  test("says nothing that the schemas forbid, with and without a connection, and reuses no key", () => {
    const { story, said, tell, disconnect, connect } = scene(version);
    story.booted();
    tell(300);
    disconnect();
    tell(60);
    connect();
    tell(300);
    expect(
      mistakesIn(version, [...said, { ...story.boot("PowerUp"), payload: story.boot("PowerUp").payload() }]),
    ).toEqual([]);
    const keys = said.map(({ key }) => key).filter((key) => key !== "heartbeat");
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(said.map(({ action }) => action))).toEqual(
      new Set(
        version === "1.6"
          ? ["Authorize", "Heartbeat", "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction"]
          : ["Authorize", "Heartbeat", "NotifyEvent", "StatusNotification", "TransactionEvent"],
      ),
    );
  });

  test("ends a transaction whose token is not accepted", () => {
    const { said, tell } = scene(version, { authorized: "Blocked" });
    tell(60);
    const ends = said.filter(({ action, payload }) => action === "StopTransaction" || payload["eventType"] === "Ended");
    expect(ends.length).toBeGreaterThan(3);
    const reasonOf = ({ payload }: (typeof said)[number]) =>
      payload["reason"] ?? (payload["transactionInfo"] as Record<string, unknown>)["stoppedReason"];
    expect(new Set(ends.map(reasonOf))).toEqual(new Set(["DeAuthorized"]));
    expect(mistakesIn(version, said)).toEqual([]);
  });

  test("answers every command as its schema has it, and follows it with valid messages", () => {
    const { story, said, tell } = scene(version);
    for (const [action, payload, expected] of version === "1.6" ? commands16 : commands2x) {
      expect(validatePayload(version, action, "request", payload)).toBeUndefined();
      const reply = story.command(action, payload);
      const answer = "error" in reply ? reply.error : (reply.result["status"] ?? "fits");
      expect([action, payload, answer]).toEqual([action, payload, expected]);
      if ("error" in reply) continue;
      expect(validatePayload(version, action, "response", reply.result)).toBeUndefined();
      reply.follow?.();
    }
    tell(40);
    expect(mistakesIn(version, said)).toEqual([]);
  });
});

const commands16: [action: string, payload: Record<string, unknown>, answer: string][] = [
  ["GetConfiguration", {}, "fits"],
  ["GetConfiguration", { key: ["HeartbeatInterval", "toString"] }, "fits"],
  ["ChangeConfiguration", { key: "HeartbeatInterval", value: "60" }, "Accepted"],
  ["ChangeConfiguration", { key: "Unheard", value: "60" }, "NotSupported"],
  ["ChangeAvailability", { connectorId: 0, type: "Inoperative" }, "Accepted"],
  ["ChangeAvailability", { connectorId: 0, type: "Operative" }, "Accepted"],
  ["ChangeAvailability", { connectorId: 9, type: "Operative" }, "Rejected"],
  ["ClearCache", {}, "Accepted"],
  ["DataTransfer", { vendorId: "x" }, "UnknownVendorId"],
  ["Reset", { type: "Soft" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "BootNotification" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "Heartbeat" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "StatusNotification", connectorId: 2 }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "MeterValues" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "FirmwareStatusNotification" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "MeterValues", connectorId: 7 }, "Rejected"],
  ["UnlockConnector", { connectorId: 1 }, "Unlocked"],
  ["RemoteStartTransaction", { idTag: "FLEET-TAG", connectorId: 1 }, "Accepted"],
  ["RemoteStartTransaction", { idTag: "FLEET-TAG", connectorId: 1 }, "Rejected"],
  ["UnlockConnector", { connectorId: 1 }, "UnlockFailed"],
  ["RemoteStopTransaction", { transactionId: 1 }, "Accepted"],
  ["RemoteStopTransaction", { transactionId: 1 }, "Rejected"],
  ["GetLocalListVersion", {}, "NotImplemented"],
];

const evse = { id: 1 };
const idToken = { idToken: "FLEET-TAG", type: "Central" };
const component = { name: "OCPPCommCtrlr" };
const commands2x: [action: string, payload: Record<string, unknown>, answer: string][] = [
  ["GetVariables", { getVariableData: [{ component, variable: { name: "HeartbeatInterval" } }] }, "fits"],
  ["GetVariables", { getVariableData: [{ component, variable: { name: "toString" } }] }, "fits"],
  [
    "SetVariables",
    { setVariableData: [{ component, variable: { name: "HeartbeatInterval" }, attributeValue: "9" }] },
    "fits",
  ],
  ["ChangeAvailability", { operationalStatus: "Inoperative" }, "Accepted"],
  ["ChangeAvailability", { operationalStatus: "Operative" }, "Accepted"],
  ["ChangeAvailability", { operationalStatus: "Operative", evse: { id: 9 } }, "Rejected"],
  ["ClearCache", {}, "Accepted"],
  ["DataTransfer", { vendorId: "x" }, "UnknownVendorId"],
  ["GetBaseReport", { requestId: 1, reportBase: "FullInventory" }, "NotSupported"],
  ["GetTransactionStatus", {}, "fits"],
  ["Reset", { type: "OnIdle" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "BootNotification" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "Heartbeat" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "StatusNotification", evse: { id: 2, connectorId: 1 } }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "MeterValues" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "LogStatusNotification" }, "Accepted"],
  ["TriggerMessage", { requestedMessage: "TransactionEvent", evse }, "Rejected"],
  ["TriggerMessage", { requestedMessage: "MeterValues", evse: { id: 7 } }, "Rejected"],
  ["UnlockConnector", { evseId: 1, connectorId: 1 }, "Unlocked"],
  ["RequestStartTransaction", { evseId: 1, remoteStartId: 1, idToken }, "Accepted"],
  ["RequestStartTransaction", { evseId: 1, remoteStartId: 2, idToken }, "Rejected"],
  ["TriggerMessage", { requestedMessage: "TransactionEvent", evse }, "Accepted"],
  ["UnlockConnector", { evseId: 1, connectorId: 1 }, "OngoingAuthorizedTransaction"],
  ["GetTransactionStatus", { transactionId: "unheard" }, "fits"],
  ["RequestStopTransaction", { transactionId: "unheard" }, "Rejected"],
  ["GetLocalListVersion", {}, "NotImplemented"],
];

test("a 2.x station counts the events of a transaction without a gap, and says which happened without a connection", () => {
  const { said, tell, disconnect, connect } = scene("2.0.1");
  tell(25);
  disconnect();
  const online = said.length;
  tell(20);
  expect(said).toHaveLength(online);
  connect();
  const events = said.filter(({ action }) => action === "TransactionEvent");
  const byTransaction = Map.groupBy(events, ({ payload }) =>
    String((payload["transactionInfo"] as Record<string, unknown>)["transactionId"]),
  );
  expect(byTransaction.size).toBeGreaterThan(2);
  for (const told of byTransaction.values())
    expect(told.map(({ payload }) => payload["seqNo"])).toEqual(told.map((_, at) => at));
  for (const { action, payload } of said.slice(0, online))
    expect({ action, offline: payload["offline"] }).toEqual({ action, offline: undefined });
  expect(said.slice(online).filter(({ payload }) => payload["offline"])).toHaveLength(20);
});

test("a 1.6 station without a connection keeps what belongs to transactions, and tells its statuses after the reconnect", () => {
  const { said, tell, disconnect, connect } = scene("1.6");
  tell(15);
  disconnect();
  const online = said.length;
  tell(30);
  connect();
  const later = said.slice(online).map(({ action }) => action);
  const statuses = later.filter((action) => action === "StatusNotification").length;
  expect(later.slice(-statuses)).toEqual(Array(statuses).fill("StatusNotification"));
  expect(statuses).toBeLessThanOrEqual(DEFAULT_SETTINGS.connectors);
  expect(later.slice(0, -statuses)).toHaveLength(30);
  expect(later).not.toContain("Authorize");
  for (const { action, payload } of said)
    if (action === "MeterValues" || action === "StopTransaction") expect(payload["transactionId"]).toBeGreaterThan(0);
});
