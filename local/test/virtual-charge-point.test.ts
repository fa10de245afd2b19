import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { RPCServer } from "ocpp-rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VirtualChargePoint, type VirtualUnit } from "../virtual-charge-point.ts";

// The CSMS here is ocpp-rpc's server in strict mode: what breaks a published schema is refused.
interface Connection {
  handle(action: string, answer: (call: { params: Record<string, unknown> }) => object): void;
  call(action: string, payload: object): Promise<Record<string, unknown>>;
  close(how: { code: number }): Promise<unknown>;
}

let web: Server;
let csms: RPCServer;
let received: { action: string; payload: Record<string, unknown> }[];
let connections: Connection[];
let station: VirtualChargePoint | undefined;

beforeEach(async () => {
  received = [];
  connections = [];
  csms = new RPCServer({ protocols: ["ocpp1.6", "ocpp2.0.1"], strictMode: true } as never);
  csms.auth(
    (
      accept: () => void,
      reject: (status: number, message: string) => void,
      handshake: { password?: Buffer | undefined },
    ) => (String(handshake.password) === "right" ? accept() : reject(401, "")),
  );
  csms.on("client", (connection: Connection) => {
    connections.push(connection);
    const answer = (action: string, give: () => object) =>
      connection.handle(action, ({ params }) => {
        received.push({ action, payload: params });
        return give();
      });
    answer("BootNotification", () => ({ status: "Accepted", currentTime: new Date().toISOString(), interval: 300 }));
    answer("Heartbeat", () => ({ currentTime: new Date().toISOString() }));
    for (const action of ["StatusNotification", "MeterValues", "NotifyReport", "FirmwareStatusNotification"])
      answer(action, () => ({}));
  });
  web = createServer();
  web.on("upgrade", (request, socket, head) => void csms.handleUpgrade(request, socket as Socket, head));
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await station?.close().catch(() => {});
  await csms.close({ force: true } as never);
  await new Promise((resolve) => web.close(resolve));
});

function unit(version: "1.6" | "2.0.1", more: Partial<VirtualUnit> = {}): VirtualUnit {
  const endpoints = [`ws://127.0.0.1:${(web.address() as AddressInfo).port}/ocpp/${version}`];
  return {
    chargePointId: "cp_1",
    password: "right",
    version,
    endpoints,
    vendor: "V",
    model: "M",
    serialNumber: "S",
    firmwareVersion: "1.2.3",
    connectors: 2,
    ...more,
  };
}

async function eventuallyReceived(action: string): Promise<Record<string, unknown>> {
  await expect.poll(() => received.some((message) => message.action === action), { timeout: 10_000 }).toBe(true);
  return received.findLast((message) => message.action === action)?.payload as Record<string, unknown>;
}

test.each(["1.6", "2.0.1"] as const)(
  "OCPP %s: it boots, tells the status of each connector, and does what it is triggered to",
  async (version) => {
    station = new VirtualChargePoint(unit(version));
    await station.start();
    expect(received.map(({ action }) => action)).toEqual([
      "BootNotification",
      "StatusNotification",
      "StatusNotification",
    ]);
    const connection = connections[0] as Connection;
    for (const requestedMessage of [
      "Heartbeat",
      "MeterValues",
      "StatusNotification",
      "FirmwareStatusNotification",
      "BootNotification",
    ]) {
      received.splice(0);
      expect(await connection.call("TriggerMessage", { requestedMessage })).toEqual({ status: "Accepted" });
      await eventuallyReceived(requestedMessage);
    }
    await expect(
      connection.call(
        "ReserveNow",
        version === "1.6"
          ? { connectorId: 1, expiryDate: new Date().toISOString(), idTag: "A", reservationId: 1 }
          : { id: 1, expiryDateTime: new Date().toISOString(), idToken: { idToken: "A", type: "Central" } },
      ),
    ).rejects.toThrow(/not known/);
  },
);

test("OCPP 2.0.1: its device model is reported and can be asked", async () => {
  station = new VirtualChargePoint(unit("2.0.1"));
  await station.start();
  const connection = connections[0] as Connection;
  expect(await connection.call("GetBaseReport", { requestId: 7, reportBase: "FullInventory" })).toEqual({
    status: "Accepted",
  });
  expect(await eventuallyReceived("NotifyReport")).toMatchObject({ requestId: 7, seqNo: 0, tbc: false });
  const asked = { component: { name: "Controller" }, variable: { name: "FirmwareVersion" } };
  expect(await connection.call("GetVariables", { getVariableData: [asked] })).toEqual({
    getVariableResult: [{ ...asked, attributeStatus: "Accepted", attributeValue: "1.2.3" }],
  });
});

test("it comes back after its connection was closed, also when one of its endpoints is dead", async () => {
  const { endpoints } = unit("1.6");
  station = new VirtualChargePoint(unit("1.6", { endpoints: [...endpoints, "ws://127.0.0.1:1/ocpp/1.6"] }));
  await station.start();
  received.splice(0);
  await connections[0]?.close({ code: 1012 });
  await eventuallyReceived("BootNotification");
  expect(connections).toHaveLength(2);
});

test("a wrong password is told", async () => {
  await expect(new VirtualChargePoint(unit("1.6", { password: "wrong" })).start()).rejects.toThrow("Unauthorized");
});
