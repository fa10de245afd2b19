// What people use today: the ocpp-rpc library in strict mode, OCPP 1.6. Nothing is stored.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { RPCServer } from "ocpp-rpc";

const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: true, pingIntervalMs: 0 });
server.auth((accept) => accept({}));
server.on("client", (client) => {
  client.handle("Heartbeat", () => ({ currentTime: "2026-01-01T00:00:00.000Z" }));
  client.handle("StatusNotification", () => ({}));
  client.handle("MeterValues", () => ({}));
});
const http = await server.listen(0, "127.0.0.1");
if (!http.listening) await once(http, "listening");
console.log(JSON.stringify({ port: (http.address() as AddressInfo).port }));
