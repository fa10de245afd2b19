import { randomBytes } from "node:crypto";
import { decodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import { UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAttemptStore } from "../sockets/attempt-store.ts";
import { makeAuthority } from "./certificates.ts";
import { basicAuth, connectStation, handshake } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

const authority = makeAuthority("Attempts");
const server = authority.issue("/CN=localhost", { server: true });

let world: World;
let gateway: GatewayProcess;
beforeAll(async () => {
  world = await startWorld();
  gateway = await world.gateway({
    TRUSTED_PROXIES: "127.0.0.0/8",
    GATEWAY_TLS_PORT: "0",
    GATEWAY_TLS_CERT: server.cert,
    GATEWAY_TLS_KEY: server.key,
  });
});
afterAll(() => world.close());

const unknownAttempts = async () =>
  (await world.redis.lrange(UNKNOWN_ATTEMPTS, 0, -1)).flatMap((text) => decodeAttempt(text) ?? []);
const outcomesOf = async (station: RegisteredStation) => (await world.attempts(station)).map(({ outcome }) => outcome);

/** As from an address of the test's choice: the gateway takes the test for a proxy. */
const from = (address: string, station: RegisteredStation, changes: Record<string, string> = {}) => ({
  "sec-websocket-protocol": "ocpp1.6",
  authorization: basicAuth(station.spelling, station.password),
  "x-forwarded-for": address,
  ...changes,
});
const wrong = (station: RegisteredStation) => ({ authorization: basicAuth(station.spelling, randomBytes(20)) });
let hosts = 0;
/** Each test has addresses of its own, and with them limits of its own. */
const newAddress = () => `198.51.100.${++hosts}`;

describe("what became of an attempt", () => {
  test("is kept with the station, newest first, with all that helps to see why", async () => {
    const station = await world.register({ record: { ocppVersions: ["2.0.1"] } });
    const address = newAddress();
    const path = `/ocpp/1.6/${station.spelling}/`;
    await handshake(gateway.url, `${path}?token=secret`, from(address, station, wrong(station)));
    await until("the wrong password is kept", async () => (await outcomesOf(station)).length === 1);
    await handshake(gateway.url, path, from(address, station));
    await until("the wrong version is kept", async () => (await outcomesOf(station)).length === 2);
    await handshake(gateway.url, path, from(address, station, { "sec-websocket-protocol": "ocpp2.0.1" }));
    await until("the success is kept", async () => (await outcomesOf(station)).length === 3);

    const seen = { v: 1, path, remoteAddress: address, listener: 1, nodeId: gateway.nodeId, atMs: expect.any(Number) };
    expect(await world.attempts(station)).toEqual([
      {
        ...seen,
        outcome: "connected",
        subprotocols: "ocpp2.0.1",
        notes: ["trailing-slash", "version-in-path-differs"],
      },
      {
        ...seen,
        outcome: "wrong_version",
        subprotocols: "ocpp1.6",
        notes: [],
        detail: "this charge point is registered for OCPP 2.0.1",
      },
      { ...seen, outcome: "bad_credentials", subprotocols: "ocpp1.6", notes: [] },
    ]);
    expect(await world.redis.ttl(`ocpp:attempts:{${station.identity}}`)).toBeGreaterThan(29 * 24 * 3600);
  });

  test("of no known station is kept in a ring of its own", async () => {
    const spelling = `CS-nobody-${randomBytes(4).toString("hex")}`;
    const nobody = { ...(await world.register()), spelling, identity: spelling.toLowerCase() as StationIdentity };
    await handshake(gateway.url, `/ocpp/${spelling}`, from(newAddress(), nobody));
    await handshake(gateway.url, `/ocpp/${spelling}%2Fx`, from(newAddress(), nobody));
    await until("both are kept", async () => {
      const kept = (await unknownAttempts())
        .filter(({ path }) => path.includes(spelling))
        .map(({ outcome }) => outcome);
      return kept.includes("unknown_identity") && kept.includes("malformed_identity");
    });
    expect(await world.attempts(nobody)).toEqual([]);
  });

  test("a connection that another one replaces is told as superseded", async () => {
    const station = await world.register();
    const old = await connectStation(gateway.url, station);
    const young = await connectStation(gateway.url, station);
    await old.closed;
    await until("it is kept", async () => (await outcomesOf(station)).includes("superseded"));
    young.ws.terminate();
  });

  test("[1.5-frame-size] [C16] a frame over the limit is told with the station, in its lane too, as 1009", async () => {
    const station = await world.register();
    const { ws, closed } = await connectStation(gateway.url, station);
    ws.send("x".repeat(1_048_577));
    await closed;
    await until("it is kept", async () => (await outcomesOf(station)).includes("frame_too_large"));
    const told = (await world.attempts(station)).find(({ outcome }) => outcome === "frame_too_large");
    expect(told?.detail).toContain("1048576 bytes");
    await until("the end is stored", async () =>
      (await world.stored(station.identity)).some(({ text }) => text.includes('"closed"')),
    );
    const [last] = (await world.stored(station.identity)).slice(-1);
    expect(JSON.parse(last?.text ?? "{}")).toMatchObject({
      event: "closed",
      code: 1009,
      reason: "a frame over the limit of 1048576 bytes",
    });
  });

  test("a TLS handshake that fails is told, since its station cannot be", async () => {
    const direct = await world.gateway({
      GATEWAY_TLS_PORT: "0",
      GATEWAY_TLS_CERT: server.cert,
      GATEWAY_TLS_KEY: server.key,
    });
    const station = await world.register();
    // Trusts another authority.
    const tls = { ca: makeAuthority("Other").cert };
    await expect(handshake(direct.tlsUrl, `/ocpp/${station.spelling}`, from("", station), tls)).rejects.toThrow();
    await until("it is kept", async () =>
      (await unknownAttempts()).some(({ outcome, nodeId }) => outcome === "tls_error" && nodeId === direct.nodeId),
    );
    direct.signal("SIGKILL");
  });
});

test("[D4] of headers that stand there twice the proxy's own line counts, which comes behind the station's words", async () => {
  const station = await world.register({ record: { securityProfile: 2 } });
  const real = newAddress();
  const claimed = { "x-forwarded-for": ["203.0.113.66", real], "x-forwarded-proto": ["https", "http"] };
  const headers = { ...from(real, station), ...claimed };
  expect((await handshake(gateway.url, `/ocpp/${station.spelling}`, headers)).status).toBe(403);
  await until("the attempt is kept", async () => (await world.attempts(station)).length > 0);
  expect(await world.attempts(station)).toMatchObject([{ outcome: "plain_ws", remoteAddress: real, listener: 1 }]);
});

describe("a flood", () => {
  test("[D1] [D12] of guesses from one address is one entry with a count, and leaves the station its list and its way in", async () => {
    const station = await world.register();
    const path = `/ocpp/${station.spelling}`;
    const own = await connectStation(gateway.url, station, { headers: { "x-forwarded-for": newAddress() } });
    const guesser = newAddress();
    const statuses: number[] = [];
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => handshake(gateway.url, path, from(guesser, station, wrong(station)))),
      );
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    await until("the guesses are kept", async () => (await outcomesOf(station)).includes("too_many_attempts"));
    const kept = await world.attempts(station);
    expect(kept.map(({ outcome }) => outcome).sort()).toEqual(["bad_credentials", "connected", "too_many_attempts"]);
    const guesses = kept.filter(({ remoteAddress }) => remoteAddress === guesser);
    expect(guesses.reduce((sum, { times = 1 }) => sum + times, 0)).toBe(30);
    // The station itself, from where it is, and even from where the guesses come once it is let through there.
    expect(await own.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    expect((await handshake(gateway.url, path, from(newAddress(), station))).status).toBe(101);
    own.ws.terminate();
  });

  test("[D1] from many addresses takes half of the list at the most", async () => {
    const station = await world.register();
    const attempt = {
      v: 1 as const,
      atMs: 1,
      path: "/ocpp/x",
      subprotocols: "ocpp1.6",
      listener: 1 as const,
      notes: [],
      nodeId: "node",
    };
    const store = createAttemptStore(world.redis, 1);
    const keep = (outcome: "connected" | "bad_credentials", remoteAddress: string) =>
      store.keep([{ identity: station.identity, attempt: { ...attempt, outcome, remoteAddress } }]);
    for (let n = 0; n < 15; n++) await keep("connected", `192.0.2.${n}`);
    for (let n = 0; n < 100; n++) await keep("bad_credentials", `203.0.113.${n}`);
    const outcomes = await outcomesOf(station);
    expect(outcomes.filter((outcome) => outcome === "connected")).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === "bad_credentials")).toHaveLength(10);
    // Whoever keeps trying stays at the head, however many others there are.
    await keep("bad_credentials", "203.0.113.95");
    expect((await world.attempts(station))[0]).toMatchObject({ remoteAddress: "203.0.113.95", times: 2 });
    expect(await outcomesOf(station)).toHaveLength(20);
  });

  test("[D1] of one address over many identities looks few up, and leaves the others alone", async () => {
    const address = newAddress();
    const some = await world.register();
    const guess = async (n: number) => {
      const spelling = `CS-guess-${n}`;
      return (await handshake(gateway.url, `/ocpp/${spelling}`, from(address, { ...some, spelling }))).status;
    };
    const before = world.decisions.lookups.length;
    const statuses = await Promise.all(Array.from({ length: 300 }, (_, n) => guess(n)));
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    // The reserve of an address, and what comes back to it while this runs.
    expect(world.decisions.lookups.length - before).toBeLessThan(200);
    expect((await handshake(gateway.url, `/ocpp/${some.spelling}`, from(address, some))).status).toBe(101);
  });
});
