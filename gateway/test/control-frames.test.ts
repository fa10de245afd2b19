import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw, frame, upgradeText, type RawSocket } from "./raw-socket.ts";
import { startWorld, until, type World } from "./world.ts";

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
});
afterAll(() => world.close());

const heartbeat = Buffer.from('[2,"alive","Heartbeat",{}]');

async function upgraded(): Promise<RawSocket> {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(upgradeText(await world.register()));
  await until("it is open", () => raw.received().includes("\r\n\r\n"));
  return raw;
}
const isServed = async (raw: RawSocket) => {
  raw.socket.write(frame(0x81, heartbeat));
  await until("it is answered", () => raw.received().includes('[3,"alive"'));
};

test("[B13] each of twenty thousand pings gets its pong, and others are served meanwhile", async () => {
  const raw = await upgraded();
  const neighbour = await connectStation(gateway.url, await world.register());
  const openedBytes = raw.received().length;
  const batch = Buffer.concat(Array.from({ length: 1_000 }, () => frame(0x89, Buffer.from("ping"))));
  for (let n = 0; n < 20; n++) raw.socket.write(batch);
  expect(await neighbour.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  const pong = Buffer.concat([Buffer.from([0x8a, 4]), Buffer.from("ping")]);
  await until("all are answered", () => raw.received().length >= openedBytes + 20_000 * pong.length);
  expect(raw.received().subarray(openedBytes, openedBytes + pong.length)).toEqual(pong);
  await isServed(raw);
  raw.socket.destroy();
  neighbour.ws.terminate();
});

test.runIf(process.platform === "linux")(
  "[B13] [B9] whoever floods with pings and reads no pong costs no more than the bound",
  async () => {
    const raw = await upgraded();
    const neighbour = await connectStation(gateway.url, await world.register());
    raw.socket.pause();
    const before = gateway.peakMemoryBytes();
    const batch = Buffer.concat(Array.from({ length: 1_000 }, () => frame(0x89, Buffer.alloc(125, 0x70))));
    // A hundred megabytes of pongs. What is measured is the peak of the whole process, its garbage included.
    for (let n = 0; n < 800 && !raw.socket.destroyed; n++)
      if (!raw.socket.write(batch)) await new Promise((resolve) => raw.socket.once("drain", resolve));
    expect(await neighbour.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    expect(gateway.peakMemoryBytes() - before).toBeLessThan(64 * 1024 * 1024);
    raw.socket.destroy();
    neighbour.ws.terminate();
  },
);

test("[B13] pongs that nobody asked for, empty and full control frames and a ping inside a message are borne", async () => {
  const raw = await upgraded();
  for (let n = 0; n < 1_000; n++) raw.socket.write(frame(0x8a, Buffer.from("unsolicited")));
  raw.socket.write(frame(0x89, Buffer.alloc(0)));
  raw.socket.write(frame(0x89, Buffer.alloc(125, 0x70)));
  raw.socket.write(frame(0x01, Buffer.from('[2,"split","Heart')));
  raw.socket.write(frame(0x89, Buffer.from("between")));
  raw.socket.write(frame(0x80, Buffer.from('beat",{}]')));
  await until("the message is answered", () => raw.received().includes('[3,"split"'));
  expect(raw.received().includes("between")).toBe(true);
  await isServed(raw);
  raw.socket.destroy();
});

test("[B13] a close frame is answered with one, with its code", async () => {
  const raw = await upgraded();
  raw.socket.write(frame(0x88, Buffer.from([0x03, 0xe9])));
  await raw.closed;
  expect(raw.received().subarray(-4)).toEqual(Buffer.from([0x88, 2, 0x03, 0xe9]));
});

test.each([
  ["a ping in fragments", frame(0x09, Buffer.from("half"))],
  ["a ping of 126 bytes", frame(0x89, Buffer.alloc(126, 0x70))],
  ["a close frame of 126 bytes", frame(0x88, Buffer.alloc(126, 0x03))],
  ["an opcode that does not exist", frame(0x83, Buffer.from("x"))],
  ["a control opcode that does not exist", frame(0x8b, Buffer.from("x"))],
  ["a reserved bit", frame(0xa1, heartbeat)],
  ["a continuation of nothing", frame(0x80, Buffer.from("x"))],
  ["a message inside a message", Buffer.concat([frame(0x01, Buffer.from("[2")), frame(0x81, heartbeat)])],
])("[B13] %s ends its connection (RFC 6455 §5), and nobody else's", async (_what, bytes) => {
  const neighbour = await connectStation(gateway.url, await world.register());
  const raw = await upgraded();
  raw.socket.write(bytes);
  await raw.closed;
  expect(raw.received().includes('[3,"alive"')).toBe(false);
  expect(await neighbour.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  neighbour.ws.terminate();
});
