import { SUBPROTOCOL } from "@dynamo-csms/proto/ocpp-version";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { connectRaw, upgradeText } from "./raw-socket.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway({ OCPP_PATHS: "/ocpp,/moved/over" });
});
afterAll(() => world.close());

/** Whom we turn away together is not to come again together. */
const JITTERED: unknown = expect.stringMatching(/^([5-9]|1\d|20)$/);
const headersOf = (station: RegisteredStation, changes: Record<string, string | string[]> = {}) => ({
  "sec-websocket-protocol": "ocpp1.6",
  authorization: basicAuth(station.spelling, station.password),
  ...changes,
});

describe("credentials", () => {
  test("[H9] [H11] [H12] [C3] an unknown station and any wrong credentials get the same answer to the letter", async () => {
    const station = await world.register();
    const path = `/ocpp/${station.spelling}`;
    const unknown = basicAuth("CS-nobody", station.password);
    const answers = [
      await handshake(gateway.url, "/ocpp/CS-nobody", headersOf(station, { authorization: unknown })),
      await handshake(
        gateway.url,
        path,
        headersOf(station, { authorization: basicAuth(station.spelling, Buffer.from("wrong")) }),
      ),
      await handshake(
        gateway.url,
        path,
        headersOf(station, { authorization: basicAuth("CS-other", station.password) }),
      ),
      await handshake(gateway.url, path, headersOf(station, { authorization: "Basic !" })),
      await handshake(gateway.url, path, { "sec-websocket-protocol": "ocpp1.6" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    const withoutDate = answers.map(({ headers: { date: _, ...headers }, ...answer }) =>
      JSON.stringify({ ...answer, headers }),
    );
    expect(new Set(withoutDate).size).toBe(1);
    expect(answers[0]?.headers["www-authenticate"]).toBe('Basic realm="OCPP", charset="UTF-8"');
    expect(answers[0]?.body).toContain("wrong password");
  });

  test("[H12] [D2] no failed login is answered at once, whatever was wrong with it", async () => {
    const station = await world.register();
    const wrong = headersOf(station, { authorization: basicAuth(station.spelling, Buffer.from("wrong")) });
    for (const path of [`/ocpp/${station.spelling}`, "/ocpp/CS-no-such-one"]) {
      const startedAtMs = performance.now();
      expect((await handshake(gateway.url, path, wrong)).status).toBe(401);
      // A quarter of a second; timers may fire a little early, and a machine under load only adds to it.
      expect(performance.now() - startedAtMs).toBeGreaterThan(240);
    }
  });

  test("[1.2-hex-key] [C3] the worked example of the 1.6 specification, whose key is no text, connects", async () => {
    // J16 §6.2.2: identity AL1000, key 0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF.
    const password = Buffer.from("0001020304050607ffffffffffffffffffffffff", "hex");
    const station = await world.register({ spelling: "AL1000", password });
    const answer = await handshake(gateway.url, "/ocpp/AL1000", {
      "sec-websocket-protocol": "ocpp1.6",
      authorization: "Basic QUwxMDAwOgABAgMEBQYH////////////////",
    });
    expect(answer.status).toBe(101);
    expect(await world.owner(station.identity)).toHaveProperty("epoch");
  });

  test("[H8] [C2] upper and lower case are one station, in the URL and in the user name", async () => {
    const station = await world.register();
    const upper = station.spelling.toUpperCase();
    expect(
      (
        await handshake(
          gateway.url,
          `/ocpp/${upper}`,
          headersOf(station, { authorization: basicAuth(station.identity, station.password) }),
        )
      ).status,
    ).toBe(101);
  });

  test("[H10] a retired station is told so, but only with its password", async () => {
    const station = await world.register({ record: { retired: true } });
    const path = `/ocpp/${station.spelling}`;
    expect(await handshake(gateway.url, path, headersOf(station))).toMatchObject({
      status: 404,
      body: expect.stringContaining("retired"),
    });
    expect(
      (
        await handshake(
          gateway.url,
          path,
          headersOf(station, { authorization: basicAuth(station.spelling, Buffer.from("wrong")) }),
        )
      ).status,
    ).toBe(401);
  });

  test("[H13] [1.8-no-downgrade] [D4] security profiles 2 and 3 do not get in over a plain connection, whatever the request claims", async () => {
    for (const securityProfile of [2, 3] as const) {
      const station = await world.register({ record: { securityProfile } });
      expect(
        (
          await handshake(
            gateway.url,
            `/ocpp/${station.spelling}`,
            headersOf(station, { "x-forwarded-proto": "https" }),
          )
        ).status,
      ).toBe(403);
    }
  });

  test("[H13] [D1] ten wrong passwords in a row are followed by 429, and the next address is not", async () => {
    const station = await world.register();
    const path = `/ocpp/${station.spelling}`;
    const wrong = headersOf(station, { authorization: basicAuth(station.spelling, Buffer.from("wrong")) });
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => handshake(gateway.url, path, wrong)))).map(
      ({ status }) => status,
    );
    expect(new Set(statuses)).toEqual(new Set([401]));
    const limited = await handshake(gateway.url, path, wrong);
    expect(limited).toMatchObject({ status: 429, headers: { "retry-after": "60" } });
    // Not the right password either, from there; from elsewhere at once.
    expect((await handshake(gateway.url, path, headersOf(station))).status).toBe(429);
    expect((await handshake(gateway.url, path, headersOf(station), undefined, "127.0.0.2")).status).toBe(101);
  });
});

describe("stations that Redis does not know", () => {
  test("are looked up once, however many ask, and not again at once", async () => {
    const station = { ...(await world.register({ spelling: "CS-absent" })), spelling: "CS-gone" };
    const attempts = Array.from({ length: 5 }, () => handshake(gateway.url, "/ocpp/CS-gone", headersOf(station)));
    expect(new Set((await Promise.all(attempts)).map(({ status }) => status))).toEqual(new Set([401]));
    expect((await handshake(gateway.url, "/ocpp/CS-gone", headersOf(station))).status).toBe(401);
    expect(world.decisions.lookups.filter((identity) => identity === "cs-gone")).toEqual(["cs-gone"]);
  });

  test("connect when the control plane knows them", async () => {
    const password = Buffer.from("a-password-of-20-chr");
    world.decisions.registered.set("cs-just-now", world.recordOf("CS-just-now", password));
    const answer = await handshake(gateway.url, "/ocpp/CS-just-now", {
      "sec-websocket-protocol": "ocpp1.6",
      authorization: basicAuth("CS-just-now", password),
    });
    expect(answer.status).toBe(101);
  });

  test("[H13] are asked to come back while the control plane is away; those in Redis are not", async () => {
    const alone = await world.gateway({ DECISIONS_URL: "127.0.0.1:1" });
    const known = await world.register();
    const stranger = await handshake(alone.url, "/ocpp/CS-stranger", headersOf(known));
    expect(stranger).toMatchObject({ status: 503, headers: { "retry-after": JITTERED } });
    expect((await handshake(alone.url, `/ocpp/${known.spelling}`, headersOf(known))).status).toBe(101);
    alone.signal("SIGKILL");
  });

  test("[H12] [D2] while the control plane is away, a known station's wrong password is answered like an unknown station", async () => {
    const alone = await world.gateway({ DECISIONS_URL: "127.0.0.1:1" });
    const known = await world.register();
    const answers: string[] = [];
    for (const spelling of [known.spelling, "CS-unseen"]) {
      const startedAtMs = performance.now();
      const { headers, ...answer } = await handshake(
        alone.url,
        `/ocpp/${spelling}`,
        headersOf(known, { authorization: basicAuth(spelling, Buffer.from("wrong")) }),
      );
      expect(performance.now() - startedAtMs).toBeGreaterThan(240);
      const { date: _, "retry-after": retryAfter, ...rest } = headers;
      expect(retryAfter).toEqual(JITTERED);
      answers.push(JSON.stringify({ ...answer, headers: rest }));
      expect(answer.status).toBe(503);
    }
    expect(answers[0]).toBe(answers[1]);
    // With its password it is let in, and its operator sees what the stranger is not told.
    expect((await handshake(alone.url, `/ocpp/${known.spelling}`, headersOf(known))).status).toBe(101);
    await until("the attempt is kept", async () =>
      (await world.attempts(known)).some(({ outcome }) => outcome === "bad_credentials"),
    );
    alone.signal("SIGKILL");
  });
});

describe("the subprotocol", () => {
  test.each([
    ["ocpp1.6", "ocpp1.6"],
    ["ocpp0.1, ocpp2.0.1", "ocpp2.0.1"],
    ["ocpp2.1,ocpp2.0.1,ocpp1.6", "ocpp2.1"],
    [["ocpp0.1", "ocpp2.0.1"], "ocpp2.0.1"],
    ["OCPP1.6", "OCPP1.6"],
  ])("[H2] [H5] [C1] of %j exactly %s is echoed", async (offered, echoed) => {
    const station = await world.register();
    const answer = await handshake(
      gateway.url,
      `/ocpp/${station.spelling}`,
      headersOf(station, { "sec-websocket-protocol": offered }),
    );
    expect(answer).toMatchObject({ status: 101, headers: { "sec-websocket-protocol": echoed } });
  });

  test("[H3] [H4] [C1] is refused when there is none in common, none that the station is registered for, or none at all", async () => {
    const station = await world.register({ record: { ocppVersions: ["2.0.1"] } });
    const path = `/ocpp/${station.spelling}`;
    const { authorization } = headersOf(station);
    expect(await handshake(gateway.url, path, { authorization, "sec-websocket-protocol": "ocpp0.1" })).toMatchObject({
      status: 400,
      body: expect.stringContaining("offer ocpp1.6"),
    });
    expect(await handshake(gateway.url, path, { authorization, "sec-websocket-protocol": "ocpp1.6" })).toMatchObject({
      status: 400,
      body: expect.stringContaining("registered for OCPP 2.0.1"),
    });
    for (const none of [{}, { "sec-websocket-protocol": "" }, { "sec-websocket-protocol": " , " }])
      expect(await handshake(gateway.url, path, { authorization, ...none })).toMatchObject({
        status: 400,
        body: expect.stringContaining("Sec-WebSocket-Protocol"),
      });
  });

  test("[H3] may be refused behind the upgrade instead, without an echo, by setting", async () => {
    const lenient = await world.gateway({ UNSUPPORTED_SUBPROTOCOL: "closeAfterUpgrade" });
    const station = await world.register();
    const raw = await connectRaw(lenient.port);
    raw.socket.write(upgradeText(station, { "Sec-WebSocket-Protocol": "ocpp0.1" }));
    await raw.closed;
    const end = raw.received().indexOf("\r\n\r\n");
    const head = raw.received().subarray(0, end).toString();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).not.toMatch(/sec-websocket-protocol/i);
    // The one frame behind it: a close, unmasked, 1002 and why (RFC 6455 §5.5.1).
    const [first, length, ...payload] = raw.received().subarray(end + 4);
    expect([first, length]).toEqual([0x88, payload.length]);
    expect(Buffer.from(payload).readUInt16BE(0)).toBe(1002);
    expect(Buffer.from(payload).subarray(2).toString()).toBe("no subprotocol in common");
    lenient.signal("SIGKILL");
  });

  test("[1.5-compression] decides about compression: 2.x has it, 1.6 has not", async () => {
    for (const version of ["1.6", "2.0.1"] as const) {
      const station = await world.register();
      const { ws } = await connectStation(gateway.url, station, {
        protocols: [SUBPROTOCOL[version]],
        headers: { "x-compress": "yes" },
      });
      expect(ws.extensions).toBe(version === "1.6" ? "" : "permessage-deflate");
      ws.terminate();
    }
  });
});

describe("the URL", () => {
  test("[H1] [H7] may end in a slash, repeat the identity, name another version or use a further path; the opened event says so", async () => {
    const station = await world.register();
    const connection = await connectStation(gateway.url, station, {
      path: `/moved/over/2.0.1/${station.spelling}/${station.identity}/`,
    });
    await until("the opened event is stored", async () => (await world.stored(station.identity)).length > 0);
    const [opened] = await world.stored(station.identity);
    expect(opened).toMatchObject({
      kind: "event",
      seq: 1,
      version: "1.6",
      epoch: Number((await world.owner(station.identity)).epoch),
    });
    expect(JSON.parse(opened?.text ?? "")).toEqual({
      event: "opened",
      nodeId: gateway.nodeId,
      remoteAddress: "127.0.0.1",
      subprotocol: "ocpp1.6",
      notes: ["trailing-slash", "repeated-identity", "version-in-path-differs"],
      listener: 1,
      verifier: station.record.verifiers[0]?.digest.slice(0, 16),
    });
    connection.ws.terminate();
  });

  test("[H7] [H13] [C2] is explained when it is wrong", async () => {
    const station = await world.register();
    expect(await handshake(gateway.url, "/ocpp/1.6/", headersOf(station))).toMatchObject({
      status: 400,
      body: expect.stringContaining("the identity is empty"),
    });
    expect(await handshake(gateway.url, "/ocpp/a%2Fb", headersOf(station))).toMatchObject({
      status: 400,
      body: expect.stringContaining("slash"),
    });
    expect((await handshake(gateway.url, "/elsewhere/CS001", headersOf(station))).status).toBe(404);
  });

  test("[H13] is no web page", async () => {
    const answer = await fetch(`${gateway.url.replace("ws:", "http:")}/ocpp/1.6/CS001`);
    expect(answer.status).toBe(426);
    expect(await answer.text()).toContain("WebSocket");
  });
});

describe("size", () => {
  test("[1.5-frame-size] [C16] a frame over the limit ends its own connection, and only that", async () => {
    const [loud, quiet] = [await world.register(), await world.register()];
    const [big, other] = [await connectStation(gateway.url, loud), await connectStation(gateway.url, quiet)];
    big.ws.send(JSON.stringify([2, "m1", "Heartbeat", { filler: "x".repeat(1_048_576) }]));
    expect((await big.closed).code).toBe(1006);
    expect(await other.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", { currentTime: expect.any(String) }]);
    const metrics = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
    expect(metrics).toContain('ocpp_connections_closed_total{code="1006",reason="too-large"} 1');
    other.ws.terminate();
  });

  test("[1.5-compression] [C17] a small frame that inflates beyond the limit ends its connection too", async () => {
    const station = await world.register();
    const bomb = await connectStation(gateway.url, station, {
      protocols: ["ocpp2.0.1"],
      headers: { "x-compress": "yes" },
    });
    bomb.ws.send("x".repeat(50_000_000), { compress: true });
    expect((await bomb.closed).code).toBe(1006);
  });

  test("[C3] headers without end are refused", async () => {
    const station = await world.register();
    const raw = await connectRaw(gateway.port);
    raw.socket.write(upgradeText(station, { Authorization: `Basic ${"A".repeat(64 * 1024)}` }));
    await raw.closed;
    expect(raw.received().toString()).toMatch(/^HTTP\/1\.1 431 /);
    expect(await world.attempts(station)).toEqual([]);
  });
});
