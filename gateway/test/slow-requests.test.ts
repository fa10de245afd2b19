import { afterAll, beforeAll, expect, test } from "vitest";
import { makeAuthority } from "./certificates.ts";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw, upgradeText, type RawSocket } from "./raw-socket.ts";
import { startWorld, type World } from "./world.ts";

const server = makeAuthority("Slow").issue("/CN=localhost", { server: true });

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway({
    GATEWAY_TLS_PORT: "0",
    GATEWAY_TLS_CERT: server.cert,
    GATEWAY_TLS_KEY: server.key,
  });
});
afterAll(() => world.close());

const many = (port: number, count: number) => Promise.all(Array.from({ length: count }, () => connectRaw(port)));

/** One byte a second, for as long as anybody takes it. */
function drip({ socket, closed }: RawSocket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++] ?? "x"), 1_000);
  void closed.then(() => clearInterval(timer));
}

test("[D6] whoever does not bring a request to its end is cut, while others are served", async () => {
  const station = await world.register();
  const tlsPort = Number(new URL(gateway.tlsUrl).port);
  const [silent, dripping, silentTls, halfHello] = await Promise.all([
    many(gateway.port, 100),
    many(gateway.port, 300),
    many(tlsPort, 100),
    many(tlsPort, 100),
  ]);
  for (const each of dripping) drip(each, `GET /ocpp/${station.spelling} HTTP/1.1\r\nX-Filler: `);
  // The beginning of a ClientHello: a handshake record of 512 bytes that stops after its header.
  for (const { socket } of halfHello) socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));

  const served = await connectStation(gateway.url, station);
  await Promise.all([...silent, ...dripping, ...silentTls, ...halfHello].map(({ closed }) => closed));
  expect(await served.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  const metrics = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
  expect(metrics).toContain('ocpp_connections_without_request_total{listener="1"} 400');
  expect(metrics).toContain('ocpp_connections_without_request_total{listener="2"} 200');
  served.ws.terminate();
});

test("[D6] a request that announces a body is closed at once, upgrade or not, and harms nobody later", async () => {
  const station = await world.register();
  for (const headers of [{ "Content-Length": "10" }, { "Transfer-Encoding": "chunked" }]) {
    const [header] = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const requests = [
      upgradeText(station, headers),
      upgradeText(station, { ...headers, Authorization: "Basic x" }),
      `GET / HTTP/1.1\r\nHost: localhost\r\n${header}\r\n`,
    ];
    for (const text of requests) {
      const raw = await connectRaw(gateway.port);
      raw.socket.write(text);
      await raw.closed;
      expect(raw.received().toString()).toBe("");
    }
  }
  // Their time would be up by then.
  const slow = await connectRaw(gateway.port);
  await slow.closed;
  const { ws, call } = await connectStation(gateway.url, station);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});

test("[D6] requests in one packet, cut into pieces or followed by more get one answer and no second one", async () => {
  const station = await world.register();
  const wrong = { Authorization: "Basic Zm9vOmJhcg==" };
  const twice = await connectRaw(gateway.port);
  twice.socket.write(upgradeText(station, wrong) + upgradeText(station, wrong));
  await twice.closed;
  expect(twice.received().toString().split("HTTP/1.1 101").length).toBe(1);

  const pieces = await connectRaw(gateway.port);
  const text = upgradeText(station, wrong);
  for (const part of [text.slice(0, 7), text.slice(7, 60), text.slice(60)]) {
    pieces.socket.write(part);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await pieces.closed;
  expect(pieces.received().toString()).toMatch(/^HTTP\/1.1 401 /);

  const after = await connectRaw(gateway.port);
  after.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  await after.closed;
  expect(after.received().toString()).toMatch(/^HTTP\/1.1 426 /);
  const slow = await connectRaw(gateway.port);
  await slow.closed;
  const { ws, call } = await connectStation(gateway.url, station);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});
