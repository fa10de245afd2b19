import { deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw, frame, upgradeText, type RawSocket } from "./raw-socket.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

const LIMIT = 1_048_576;

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
});
afterAll(() => world.close());

const heartbeat = (id: string, filler = "") => Buffer.from(`[2,"${id}","Heartbeat",{}]${filler}`);
/** An open WebSocket, byte by byte. */
async function upgraded(station: RegisteredStation, headers: Record<string, string> = {}): Promise<RawSocket> {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(upgradeText(station, headers));
  await until("it is open", () => raw.received().includes("\r\n\r\n"));
  return raw;
}
const closedEvents = async (station: RegisteredStation) =>
  (await world.stored(station.identity))
    .filter(({ kind, text }) => kind === "event" && text.includes('"closed"'))
    .map(({ text }) => JSON.parse(text) as { code: number; reason: string });
const drained = ({ socket }: RawSocket) => new Promise<void>((resolve) => socket.once("drain", resolve));

test("[C16] [1.5-frame-size] a frame of exactly the limit is read, one byte more is not", async () => {
  const station = await world.register();
  const { ws, call, closed } = await connectStation(gateway.url, station);
  ws.send(heartbeat("big", " ".repeat(LIMIT - heartbeat("big").length)).toString());
  expect(await call("next", "Heartbeat", {})).toMatchObject([3, "next", {}]);
  ws.send(heartbeat("big", " ".repeat(LIMIT - heartbeat("big").length + 1)).toString());
  await closed;
  await until("its end is stored", async () => (await closedEvents(station)).length === 1);
  expect(await closedEvents(station)).toMatchObject([{ code: 1009 }]);
});

test("[C16] a frame in a thousand fragments is one frame; pings come in between", async () => {
  const raw = await upgraded(await world.register());
  const text = heartbeat("pieces", " ".repeat(1_000));
  for (let at = 0; at < 1_000; at++) {
    raw.socket.write(frame(at === 0 ? 0x01 : 0x00, text.subarray(at, at + 1)));
    if (at === 500) raw.socket.write(frame(0x89, Buffer.from("hello")));
  }
  raw.socket.write(frame(0x80, text.subarray(1_000)));
  await until("it is answered", () => raw.received().includes('[3,"pieces"'));
  expect(raw.received().includes("hello")).toBe(true);
  raw.socket.destroy();
});

test.runIf(process.platform === "linux")(
  "[C16] fragments without end are cut at the limit; 32 stations that send 8 MiB of them each cost less than 64 MiB",
  async () => {
    const stations = await Promise.all(Array.from({ length: 32 }, () => world.register()));
    const raws = await Promise.all(stations.map((station) => upgraded(station)));
    const before = gateway.peakMemoryBytes();
    const part = Buffer.alloc(65_536, 0x20);
    await Promise.all(
      raws.map(async (raw) => {
        for (let n = 0; n < 128 && !raw.socket.destroyed; n++)
          if (!raw.socket.write(frame(n === 0 ? 0x01 : 0x00, part))) await Promise.race([drained(raw), raw.closed]);
      }),
    );
    expect(gateway.peakMemoryBytes() - before).toBeLessThan(64 * LIMIT);
    await Promise.all(raws.map(({ closed }) => closed));
    for (const station of stations) {
      await until("its end is stored", async () => (await closedEvents(station)).length === 1);
      expect(await closedEvents(station)).toMatchObject([{ code: 1009 }]);
    }
  },
);

test.runIf(process.platform === "linux")(
  "[C17] [1.5-compression] what inflates beyond the limit ends its connection before it is inflated: 256 MiB never cost 64",
  async () => {
    const station = await world.register();
    const bomb = deflateRawSync(Buffer.alloc(256 * LIMIT, 0x20), { level: 9 });
    expect(bomb.length).toBeLessThan(LIMIT);
    const before = gateway.peakMemoryBytes();
    for (let n = 0; n < 3; n++) {
      const raw = await upgraded(station, { "Sec-WebSocket-Extensions": "permessage-deflate" });
      expect(raw.received().toString().toLowerCase()).toContain("permessage-deflate");
      raw.socket.write(frame(0xc1, bomb));
      await raw.closed;
    }
    await until("their ends are stored", async () => (await closedEvents(station)).length === 3);
    expect(await closedEvents(station)).toMatchObject([{ code: 1009 }, { code: 1009 }, { code: 1009 }]);
    // The peak, not what is left when the connection is gone.
    expect(gateway.peakMemoryBytes() - before).toBeLessThan(64 * LIMIT);
  },
);

test("[1.5-compression] a 2.x station that compresses is understood", async () => {
  const station = await world.register();
  const { ws, call } = await connectStation(gateway.url, station, {
    protocols: ["ocpp2.1"],
    headers: { "x-compress": "yes" },
  });
  ws.send(heartbeat("packed", " ".repeat(5_000)).toString(), { compress: true });
  expect(await call("next", "Heartbeat", {})).toMatchObject([3, "next", {}]);
  ws.terminate();
});

test("[1.5-compression] the bit for compression without its negotiation ends the connection in order", async () => {
  const station = await world.register();
  const raw = await upgraded(station, { "Sec-WebSocket-Protocol": "ocpp1.6" });
  raw.socket.write(frame(0xc1, deflateRawSync(heartbeat("packed"))));
  await raw.closed;
  await until("its end is stored", async () => (await closedEvents(station)).length === 1);
  expect(raw.received().includes('[3,"packed"')).toBe(false);
  await until("nobody owns it", async () => (await world.owner(station.identity)).node === undefined);
});

test("[C21] [1.5-close-codes] a binary frame closes with 1003", async () => {
  const station = await world.register();
  const { ws, closed } = await connectStation(gateway.url, station);
  ws.send(heartbeat("binary"), { binary: true });
  expect((await closed).code).toBe(1003);
});

test("[1.5-frame-size] the limit is a setting", async () => {
  const small = await world.gateway({ MAX_FRAME_BYTES: "16384" });
  const station = await world.register();
  const { ws, closed } = await connectStation(small.url, station);
  ws.send("x".repeat(16_385));
  await closed;
  await until("its end is stored", async () => (await closedEvents(station)).length === 1);
  expect(await closedEvents(station)).toMatchObject([{ code: 1009, reason: "a frame over the limit of 16384 bytes" }]);
  small.signal("SIGKILL");
});
