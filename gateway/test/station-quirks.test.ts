import { once } from "node:events";
import type { QuirkSettings } from "@dynamo-csms/proto/quirks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
});
afterAll(() => world.close());

const eventsOf = async (station: RegisteredStation) =>
  (await world.stored(station.identity))
    .filter(({ kind }) => kind === "event")
    .map(({ text }) => JSON.parse(text) as Record<string, unknown>);
const withQuirks = (quirks: QuirkSettings, rest: object = {}) => world.register({ record: { quirks, ...rest } });
const credentials = (station: RegisteredStation, password = station.password) => ({
  authorization: basicAuth(station.spelling, password),
});

test("[H4] a station that offers no version is taken for the assumed one, and nothing is echoed", async () => {
  const station = await withQuirks({ missing_subprotocol: { mode: "accept", assume: "1.6" } });
  const answer = await handshake(gateway.url, `/ocpp/${station.spelling}`, credentials(station));
  expect(answer.status).toBe(101);
  expect(answer.headers).not.toHaveProperty("sec-websocket-protocol");
  const { ws, call } = await connectStation(gateway.url, station, { protocols: [] });
  // As 1.6 it is spoken to: 2.x has no such spelling.
  expect((await call("m1", "StatusNotification", {})).slice(0, 3)).toEqual([4, "m1", "OccurenceConstraintViolation"]);
  expect(await eventsOf(station)).toContainEqual(
    expect.objectContaining({ event: "quirk", quirk: "missing_subprotocol", mode: "accept", count: 1 }),
  );
  ws.terminate();
});

test("[H4] a profile that only reports refuses, and says with the attempt what it would have done", async () => {
  const station = await withQuirks({ missing_subprotocol: { mode: "report_only", assume: "1.6" } });
  const answer = await handshake(gateway.url, `/ocpp/${station.spelling}`, credentials(station));
  expect(answer.status).toBe(400);
  await until("it is kept", async () => (await world.attempts(station)).length > 0);
  expect(await world.attempts(station)).toMatchObject([
    { outcome: "no_subprotocol", notes: ["report_only:missing_subprotocol"] },
  ]);
});

test("[1.2-encoding] a key in the other encoding is accepted by profile alone, and told", async () => {
  const key = Buffer.from("0001020304050607ffffffffffffffffffffffff", "hex");
  const asText = Buffer.from(key.toString("hex").toUpperCase());
  const statusOf = async (station: RegisteredStation, sent: Buffer) =>
    (
      await handshake(gateway.url, `/ocpp/${station.spelling}`, {
        ...credentials(station, sent),
        "sec-websocket-protocol": "ocpp1.6",
      })
    ).status;
  const strict = await world.register({ password: key });
  const lenient = await world.register({
    password: key,
    record: { quirks: { credential_encoding: { mode: "accept" } } },
  });
  const reversed = await world.register({
    password: asText,
    record: { quirks: { credential_encoding: { mode: "accept" } } },
  });
  expect([await statusOf(strict, key), await statusOf(strict, asText)]).toEqual([101, 401]);
  expect([await statusOf(lenient, key), await statusOf(lenient, asText)]).toEqual([101, 101]);
  expect([await statusOf(reversed, asText), await statusOf(reversed, key)]).toEqual([101, 101]);
  await until("it is told", async () => (await eventsOf(lenient)).some(({ event }) => event === "quirk"));
  expect((await eventsOf(lenient)).filter(({ event }) => event === "quirk")).toMatchObject([
    { quirk: "credential_encoding", mode: "accept", count: 1 },
  ]);
});

test("[1.2-utf8-password] a 2.x password is its UTF-8 text, colons and all", async () => {
  const station = await world.register({ password: Buffer.from("pässwört: größer als 16 ✓", "utf8") });
  const { ws, call } = await connectStation(gateway.url, station, { protocols: ["ocpp2.0.1"] });
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
  const latin1 = Buffer.from("pässwört: größer als 16 v", "latin1");
  await expect(connectStation(gateway.url, { ...station, password: latin1 })).rejects.toThrow("401");
});

test("[C3] a key with NUL and colon bytes connects", async () => {
  const station = await world.register({ password: Buffer.from("3a003a0001023aff00000000000000000000003a", "hex") });
  const { ws, call } = await connectStation(gateway.url, station);
  expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
  ws.terminate();
});

test("[H6] schemas, spellings and message types are those of the negotiated version, whatever the URL says", async () => {
  const station = await world.register();
  const path = (version: string) => `/ocpp/${version}/${station.spelling}`;
  const boot16 = { chargePointVendor: "Acme", chargePointModel: "One" };
  const boot2 = { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "One" } };
  const old = await connectStation(gateway.url, station, { path: path("2.0.1"), protocols: ["ocpp1.6"] });
  expect((await old.call("a", "BootNotification", boot16))[0]).toBe(3);
  expect((await old.call("b", "BootNotification", boot2)).slice(0, 3)).toEqual([
    4,
    "b",
    "OccurenceConstraintViolation",
  ]);
  const young = await connectStation(gateway.url, station, { path: path("1.6"), protocols: ["ocpp2.0.1"] });
  expect((await young.call("a", "BootNotification", boot2))[0]).toBe(3);
  expect((await young.call("b", "BootNotification", boot16)).slice(0, 3)).toEqual([
    4,
    "b",
    "OccurrenceConstraintViolation",
  ]);
  young.ws.terminate();
});

test("[1.5-ping] a station's own interval is in force from the handshake on, and changes without a new one", async () => {
  const station = await withQuirks({ ping_interval: { mode: "accept", seconds: 1 } });
  const { ws } = await connectStation(gateway.url, station);
  await once(ws, "ping");
  expect(await eventsOf(station)).toContainEqual(
    expect.objectContaining({ event: "quirk", quirk: "ping_interval", mode: "accept", detail: "a ping every 1 s" }),
  );
  await world.change(station, { rev: 2, quirks: { ping_interval: { mode: "accept", seconds: 300 } } });
  await until("the change is in force", async () => {
    let pings = 0;
    const count = () => void (pings += 1);
    ws.on("ping", count);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    ws.off("ping", count);
    return pings === 0;
  });
  await world.change(station, { rev: 3, quirks: { ping_interval: { mode: "accept", seconds: 1 } } });
  await once(ws, "ping");
  ws.terminate();
});

test("[1.5-ping] any frame counts as life: a station that answers no ping and sends Heartbeats stays", async () => {
  const impatient = await world.gateway({ PING_INTERVAL: "2s", IDLE_TIMEOUT: "8s" });
  const [talker, mute] = [await world.register(), await world.register()];
  const talking = await connectStation(impatient.url, talker);
  const silent = await connectStation(impatient.url, mute);
  // Neither answers a ping.
  for (const { ws } of [talking, silent]) ws.pong = () => undefined;
  const timer = setInterval(() => talking.ws.send('[2,"beat","Heartbeat",{}]'), 1_000);
  await silent.closed;
  expect(talking.ws.readyState).toBe(talking.ws.OPEN);
  clearInterval(timer);
  await until("its end is stored", async () => (await eventsOf(mute)).some(({ event }) => event === "closed"));
  const metrics = await (await fetch(`${impatient.internalUrl}/metrics`)).text();
  expect(metrics).toContain('ocpp_connections_closed_total{code="1006",reason="silent"} 1');
  talking.ws.terminate();
  impatient.signal("SIGKILL");
});

test("a changed record is in force on the open connection: a rejected station is heard no more", async () => {
  const station = await world.register({ record: { registration: "pending" } });
  const { ws, call } = await connectStation(gateway.url, station);
  expect((await call("a", "Heartbeat", {})).slice(0, 3)).toEqual([4, "a", "SecurityError"]);
  await world.change(station, { rev: 2, registration: "accepted" });
  let n = 0;
  await until("it is accepted", async () => (await call(`b${++n}`, "Heartbeat", {}))[0] === 3);
  // An older record changes nothing, nor does the registry take back what the station was told.
  await world.change(station, { rev: 1, registration: "rejected" });
  await world.change(station, { rev: 3, registration: "pending" });
  expect((await call("c", "Heartbeat", {}))[0]).toBe(3);
  await world.change(station, { rev: 4, registration: "rejected" });
  await until("it is rejected", async () => (await call(`d${++n}`, "Heartbeat", {}))[0] === 4);
  ws.terminate();
});
