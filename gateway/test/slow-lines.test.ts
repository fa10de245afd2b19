import { afterAll, beforeAll, expect, test } from "vitest";
import { connectStation } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startLine } from "./line.ts";
import { startSentCommands, type SentCommands } from "./sent-commands.ts";
import { startWorld, until, type World } from "./world.ts";

let world: World;
let gateway: GatewayProcess;
let commands: SentCommands;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
  commands = await startSentCommands(world);
});
afterAll(async () => {
  commands.stop();
  await world.close();
});

const metrics = async () => await (await fetch(`${gateway.internalUrl}/metrics`)).text();

test("[B8] over a line of two seconds' round trip and a kilobyte a second all works with the defaults, pings too", async () => {
  const line = await startLine(gateway.port, { delayMs: 1_000, bytesPerSecond: 1_000 });
  const station = await world.register();
  const { ws, call } = await connectStation(line.url, station);
  let pings = 0;
  ws.on("ping", () => (pings += 1));
  ws.on("message", (data: Buffer) => {
    const [type, id] = JSON.parse(data.toString()) as unknown[];
    // A list of settings as long as a real one: four seconds on this line.
    const configurationKey = Array.from({ length: 50 }, (_, n) => ({
      key: `Setting${n}`,
      readonly: false,
      value: "1",
    }));
    if (type === 2) ws.send(JSON.stringify([3, id, { configurationKey }]));
  });
  await commands.send(gateway, station, { commandId: "cmd_slow", action: "GetConfiguration" });
  const sampledValue = Array.from({ length: 80 }, (_, n) => ({ value: String(n), measurand: "Power.Active.Import" }));
  const meterValue = [{ timestamp: new Date().toISOString(), sampledValue }];
  const answers = [
    await call("m1", "StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }),
    await call("m2", "MeterValues", { connectorId: 1, meterValue }),
    await call("m3", "Heartbeat", {}),
  ];
  expect(answers.map(([type]) => type)).toEqual([3, 3, 3]);
  await until("the command has ended", () => commands.outcomes("cmd_slow").length > 0);
  expect(commands.outcomes("cmd_slow")).toMatchObject([{ state: "accepted" }]);
  await until("we have pinged it", () => pings > 0);
  expect(await call("m4", "Heartbeat", {})).toMatchObject([3, "m4", {}]);
  expect(await metrics()).not.toMatch(/ocpp_connections_closed_total\{[^}]*reason="(silent|overload)"[^}]*\} [1-9]/);
  ws.terminate();
  await line.close();
});

// Broken once on purpose: with a bound of a gigabyte (server.ts, MAX_BACKPRESSURE_BYTES) it fails: "never came true:
// nobody owns it".
test("[I9] [B9] a station that never reads is let go at the bound, not answered, and loses nothing: it says again what was not answered", async () => {
  const station = await world.register();
  const { ws } = await connectStation(gateway.url, station);
  const filesBefore = gateway.openFiles();
  (ws as unknown as { _socket: { pause(): void } })._socket.pause();
  // More than the kernel keeps for a socket: what is left stands in our memory, past the bound.
  const payload = JSON.stringify({ vendorId: "filler", data: "x".repeat(16 * 1024 * 1024) });
  await commands.send(gateway, station, { commandId: "cmd_large", action: "DataTransfer", payload });
  for (const commandId of ["cmd_behind_1", "cmd_behind_2"]) await commands.send(gateway, station, { commandId });
  await until("it is sent", () => commands.kinds("cmd_large").includes("sent"));
  const status = { connectorId: 1, errorCode: "NoError", status: "Available" };
  ws.send(JSON.stringify([2, "m1", "StatusNotification", status]));
  await until("nobody owns it", async () => (await world.owner(station.identity)).node === undefined);

  const frames = await world.stored(station.identity);
  // Stored; the answer was dropped. Which of it the station did not hear it repeats, and the effect is once by business key.
  expect(frames.filter(({ kind, text }) => kind === "inbound" && text.includes("m1")).length).toBe(1);
  expect(JSON.parse(frames.at(-1)?.text ?? "{}")).toMatchObject({ event: "closed", code: 1013 });
  await until("all commands have ended", () => commands.outcomes("cmd_behind_2").length > 0);
  // Part of the first one may have arrived; of the others nothing has.
  expect(commands.outcomes("cmd_large")).toMatchObject([{ state: "unknown" }]);
  expect(commands.outcomes("cmd_behind_1")).toMatchObject([{ state: "not_connected" }]);
  expect(commands.outcomes("cmd_behind_2")).toMatchObject([{ state: "not_connected" }]);
  expect(await metrics()).toContain('ocpp_backpressure_drops_total{why="slow-reader"} 1');

  const again = await connectStation(gateway.url, station);
  expect(await again.call("m1", "StatusNotification", status)).toMatchObject([3, "m1", {}]);
  // The library gives the dead socket's memory back although its peer never closed it.
  await until("the socket is gone", () => gateway.openFiles() <= filesBefore);
  ws.terminate();
  again.ws.terminate();
});

test("[B9] a command that finds the bound reached was not sent, and says so", async () => {
  const station = await world.register();
  const { ws } = await connectStation(gateway.url, station);
  (ws as unknown as { _socket: { pause(): void } })._socket.pause();
  const payload = JSON.stringify({ vendorId: "filler", data: "x".repeat(16 * 1024 * 1024) });
  const large = { commandId: "cmd_filler", action: "DataTransfer", payload, callTimeoutMs: 100 };
  await commands.send(gateway, station, large);
  await until("it is over", () => commands.outcomes("cmd_filler").length > 0);
  await commands.send(gateway, station, { commandId: "cmd_dropped" });
  await until("the next one is over", () => commands.outcomes("cmd_dropped").length > 0);
  expect(commands.outcomes("cmd_filler")).toMatchObject([{ state: "timeout" }]);
  expect(commands.outcomes("cmd_dropped")).toMatchObject([{ state: "not_connected" }]);
  expect(commands.kinds("cmd_dropped")).toEqual(["outcome"]);
  ws.terminate();
});
