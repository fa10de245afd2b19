import { RPCClient } from "ocpp-rpc";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type World } from "./world.ts";

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway();
});
afterAll(() => world.close());

test.each([
  ["1.6", "ocpp1.6", { chargePointVendor: "Acme", chargePointModel: "One" }],
  ["2.0.1", "ocpp2.0.1", { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "One" } }],
] as const)(
  "[1.4-early-calls] an independent %s client boots, beats and finds each frame with its answer in the lane",
  async (version, protocol, boot) => {
    const station = await world.register({
      password: Buffer.from("AnExamplePassword123"),
      record: { registration: "unknown" },
    });
    // Its types ask for every option, its code has defaults for all of these.
    const options = {
      endpoint: `${gateway.url}/ocpp/${version}`,
      identity: station.spelling,
      protocols: [protocol] as string[],
      password: station.password.toString(),
      strictMode: true,
      reconnect: false,
    };
    const client = new RPCClient(options as ConstructorParameters<typeof RPCClient>[0]);
    await client.connect();
    expect(await client.call("BootNotification", boot)).toMatchObject({ status: "Accepted", interval: 300 });
    expect(await client.call("Heartbeat", {})).toMatchObject({ currentTime: expect.stringMatching(/Z$/) });
    await client.close({ code: 1000, reason: "done" });
    await until("its end is stored", async () =>
      (await world.stored(station.identity)).some(({ text }) => text.includes('"closed"')),
    );

    const frames = await world.stored(station.identity);
    expect(frames.map(({ kind, seq }) => [kind, seq])).toEqual([
      ["event", 1],
      ["inbound", 2],
      ["inbound", 3],
      ["event", 4],
    ]);
    expect(new Set(frames.map((frame) => `${frame.version} ${frame.epoch}`)).size).toBe(1);
    const [, booted, beat] = frames;
    expect(JSON.parse(booted?.text ?? "")).toMatchObject([2, expect.any(String), "BootNotification", boot]);
    expect(JSON.parse(booted?.answer ?? "")).toMatchObject([
      3,
      (JSON.parse(booted?.text ?? "") as string[])[1],
      { status: "Accepted" },
    ]);
    // How long it took to be decided, for the message log; what the gateway answers by itself takes no time worth telling.
    expect(booted?.answeredAfterMs).toBeGreaterThanOrEqual(0);
    expect(beat?.answeredAfterMs).toBeUndefined();
    expect(JSON.parse(beat?.text ?? "")).toMatchObject([2, expect.any(String), "Heartbeat", {}]);
    expect(world.decisions.calls.filter(({ identity }) => identity === station.identity)).toMatchObject([
      { action: "BootNotification", ocppVersion: version, nodeId: gateway.nodeId },
    ]);
  },
);
