import { spawnSync } from "node:child_process";
import { connect } from "node:tls";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fingerprintOf, makeAuthority, type KeyPair } from "./certificates.ts";
import { basicAuth, connectStation, handshake, type StationTls } from "./fake-station.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { startWorld, until, type RegisteredStation, type World } from "./world.ts";

const ours = makeAuthority("Our servers");
const stationAuthority = makeAuthority("Our stations");
const stranger = makeAuthority("Somebody else");
const server = ours.issue("/CN=localhost", { server: true });
const good = stationAuthority.issue("/O=Volt AG/CN=SN-4711");

const TLS = {
  GATEWAY_TLS_PORT: "0",
  GATEWAY_MTLS_PORT: "0",
  GATEWAY_TLS_CERT: server.cert,
  GATEWAY_TLS_KEY: server.key,
  GATEWAY_MTLS_CA: stationAuthority.cert,
};

let world: World;
let gateway: GatewayProcess;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "profiles-"));
  world = await startWorld();
  gateway = await world.gateway({ ...TLS, CLIENT_CERTIFICATE_HEADER: "x-forwarded-client-cert" });
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const trusting = (pair?: KeyPair): StationTls => ({ ca: ours.cert, ...pair });
const withPassword = (station: RegisteredStation) => ({
  "sec-websocket-protocol": "ocpp1.6",
  authorization: basicAuth(station.spelling, station.password),
});
const withoutPassword = { "sec-websocket-protocol": "ocpp1.6" };
const profile3 = (changes: object = {}) =>
  world.register({
    record: { securityProfile: 3, verifiers: [], serialNumber: "SN-4711", organizationName: "Volt AG", ...changes },
  });
const statusOf = async (...request: Parameters<typeof handshake>) => (await handshake(...request)).status;

describe("one listener per security profile", () => {
  test("[1.8-profiles] [1.8-no-downgrade] each profile gets in by its own listener and by higher ones, by no lower one", async () => {
    const statuses: Record<string, number[]> = {};
    for (const securityProfile of [1, 2, 3] as const) {
      const station = await world.register({
        record: { securityProfile, serialNumber: "SN-4711", organizationName: "Volt AG" },
      });
      const path = `/ocpp/${station.spelling}`;
      statuses[`profile ${securityProfile}`] = [
        await statusOf(gateway.url, path, withPassword(station)),
        await statusOf(gateway.tlsUrl, path, withPassword(station), trusting()),
        await statusOf(gateway.mtlsUrl, path, withoutPassword, trusting(good)),
      ];
    }
    expect(statuses).toEqual({
      "profile 1": [101, 101, 101],
      "profile 2": [403, 101, 101],
      "profile 3": [403, 403, 101],
    });
  });

  test("[1.8-profiles] the listener for client certificates takes no password instead of one", async () => {
    const station = await world.register({ record: { securityProfile: 2 } });
    const answer = await handshake(gateway.mtlsUrl, `/ocpp/${station.spelling}`, withPassword(station), trusting());
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining("none was sent") });
  });

  test("[1.8-profiles] the plain listener may be switched off", async () => {
    const secure = await world.gateway({ ...TLS, GATEWAY_PORT: "off" });
    expect(secure.port).toBeUndefined();
    const station = await world.register({ record: { securityProfile: 2 } });
    const connection = await connectStation(secure.tlsUrl, station, { tls: trusting() });
    expect(await connection.call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    connection.ws.terminate();
    secure.signal("SIGKILL");
  });

  test("[1.8-client-cert] the opened event tells the listener and the certificate", async () => {
    const station = await profile3();
    const { ws, call } = await connectStation(gateway.mtlsUrl, station, { tls: trusting(good), withoutPassword: true });
    expect(await call("m1", "Heartbeat", {})).toMatchObject([3, "m1", {}]);
    const opened = (await world.stored(station.identity)).find(({ kind }) => kind === "event");
    const event = JSON.parse(opened?.text ?? "{}") as object;
    expect(event).toMatchObject({
      event: "opened",
      listener: 3,
      clientCertificate: { fingerprint: fingerprintOf(good), commonName: "SN-4711" },
    });
    expect(event).not.toHaveProperty("verifier");
    ws.terminate();
  });
});

describe("a client certificate", () => {
  test.each([
    ["that is out of date", () => stationAuthority.issue("/O=Volt AG/CN=SN-4711", { days: -1 })],
    ["of another authority", () => stranger.issue("/O=Volt AG/CN=SN-4711")],
    ["for servers", () => stationAuthority.issue("/O=Volt AG/CN=SN-4711", { server: true })],
  ])("[D3] [1.8-client-cert] %s ends the TLS handshake", async (_which, make) => {
    const station = await profile3();
    await expect(
      handshake(gateway.mtlsUrl, `/ocpp/${station.spelling}`, withoutPassword, trusting(make())),
    ).rejects.toThrow();
    expect(await world.owner(station.identity)).toEqual({});
  });

  test.each([
    ["with another common name", "/O=Volt AG/CN=SN-4712", {}],
    ["with the common name in other case", "/O=Volt AG/CN=sn-4711", {}],
    ["with two common names", "/O=Volt AG/CN=SN-4711/CN=SN-4712", {}],
    ["with another organisation", "/O=Ampere AG/CN=SN-4711", {}],
    ["without organisation", "/CN=SN-4711", {}],
    ["of a station whose serial number nobody knows", "/O=Volt AG/CN=SN-4711", { serialNumber: undefined }],
  ])("[D3] [1.8-client-cert] %s is refused, as an unknown station is", async (_which, subject, changes) => {
    const station = await profile3(changes);
    const certificate = stationAuthority.issue(subject);
    const answer = await handshake(
      gateway.mtlsUrl,
      `/ocpp/${station.spelling}`,
      withoutPassword,
      trusting(certificate),
    );
    expect(answer.status).toBe(403);
    const unknown = await handshake(gateway.mtlsUrl, "/ocpp/CS-nobody", withoutPassword, trusting(certificate));
    expect([unknown.status, unknown.body]).toEqual([answer.status, answer.body]);
  });

  test("[D3] [1.8-client-cert] that was revoked is refused; another one of the same station is not", async () => {
    const station = await profile3({ revokedCertificates: [fingerprintOf(good)] });
    const path = `/ocpp/${station.spelling}`;
    expect(await statusOf(gateway.mtlsUrl, path, withoutPassword, trusting(good))).toBe(403);
    const renewed = stationAuthority.issue("/O=Volt AG/CN=SN-4711");
    expect(await statusOf(gateway.mtlsUrl, path, withoutPassword, trusting(renewed))).toBe(101);
  });

  test("[1.8-client-cert] is known again when a TLS session is resumed", async () => {
    const station = await profile3();
    const request =
      `GET /ocpp/${station.spelling} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n";
    const ask = async (session?: Buffer) => {
      const port = Number(new URL(gateway.mtlsUrl).port);
      const socket = connect({ port, host: "localhost", ca: ours.cert, ...(session ? { session } : good) });
      const ticket = once(socket, "session") as Promise<[Buffer]>;
      await once(socket, "secureConnect");
      socket.write(request);
      let answer = "";
      for await (const part of socket.iterator({ destroyOnReturn: false }))
        if ((answer += part).includes("\r\n")) break;
      const resumed = socket.isSessionReused();
      const [next] = session === undefined ? await ticket : [Buffer.alloc(0)];
      socket.destroy();
      return { status: answer.split(" ")[1], resumed, next };
    };
    const first = await ask();
    expect(first).toMatchObject({ status: "101", resumed: false });
    expect(await ask(first.next)).toMatchObject({ status: "101", resumed: true });
  });
});

describe("TLS that ends at a proxy", () => {
  const encoded = (pair: KeyPair) => encodeURIComponent(pair.cert);
  const envoy = (pair: KeyPair) =>
    `By=spiffe://a,b;Hash=00;Cert="${encoded(pair)}";Subject="O=Volt AG,CN=SN-4711";URI=`;
  const forwarded = (certificate: string | string[]) => ({
    ...withoutPassword,
    "x-forwarded-proto": "https",
    "x-forwarded-client-cert": certificate,
  });

  test("[D4] [1.8-proxy] a certificate in a header counts for nothing from whoever is no trusted proxy", async () => {
    const station = await profile3();
    const path = `/ocpp/${station.spelling}`;
    for (const header of [encoded(good), envoy(good)])
      expect(await statusOf(gateway.url, path, forwarded(header))).toBe(401);
    // Nor beside a certificate of its own.
    const other = stationAuthority.issue("/O=Volt AG/CN=SN-1");
    expect(await statusOf(gateway.mtlsUrl, path, forwarded(envoy(good)), trusting(other))).toBe(403);
  });

  test("[1.8-proxy] a trusted proxy's certificate header is believed, in the forms of Envoy and nginx", async () => {
    const behind = await world.gateway({
      TRUSTED_PROXIES: "127.0.0.1",
      CLIENT_CERTIFICATE_HEADER: "X-Forwarded-Client-Cert",
      GATEWAY_MTLS_CA: stationAuthority.cert,
    });
    const station = await profile3();
    const path = `/ocpp/${station.spelling}`;
    const other = stationAuthority.issue("/O=Volt AG/CN=SN-1");
    const statuses = {
      nginx: await statusOf(behind.url, path, forwarded(encoded(good))),
      envoy: await statusOf(behind.url, path, forwarded(envoy(good))),
      "the nearest hop counts": await statusOf(behind.url, path, forwarded(`${envoy(other)},${envoy(good)}`)),
      "not the first": await statusOf(behind.url, path, forwarded(`${envoy(good)},${envoy(other)}`)),
      "two headers": await statusOf(behind.url, path, forwarded([envoy(good), envoy(good)])),
      "an open quote": await statusOf(behind.url, path, forwarded(`Cert="x,${envoy(good)}`)),
      "another authority": await statusOf(
        behind.url,
        path,
        forwarded(encoded(stranger.issue("/O=Volt AG/CN=SN-4711"))),
      ),
      "out of date": await statusOf(
        behind.url,
        path,
        forwarded(encoded(stationAuthority.issue("/O=Volt AG/CN=SN-4711", { days: -1 }))),
      ),
      nonsense: await statusOf(behind.url, path, forwarded("%zz")),
      none: await statusOf(behind.url, path, { ...withoutPassword, "x-forwarded-proto": "https" }),
    };
    expect(statuses).toEqual({
      nginx: 101,
      envoy: 101,
      "the nearest hop counts": 101,
      "not the first": 403,
      "two headers": 401,
      "an open quote": 401,
      "another authority": 401,
      "out of date": 403,
      nonsense: 401,
      none: 401,
    });
    behind.signal("SIGKILL");
  });

  test("[1.8-proxy] a trusted proxy's word on TLS counts, in both directions", async () => {
    const behind = await world.gateway({ ...TLS, TRUSTED_PROXIES: "127.0.0.1,::1" });
    const station = await world.register({ record: { securityProfile: 2 } });
    const path = `/ocpp/${station.spelling}`;
    const over = (proto: string) => ({ ...withPassword(station), "x-forwarded-proto": proto });
    expect(await statusOf(behind.url, path, over("https"))).toBe(101);
    // It encrypted anew what came to it in the clear.
    expect(await statusOf(behind.tlsUrl, path, over("http"), trusting())).toBe(403);
    behind.signal("SIGKILL");
  });
});

describe("the TLS that is offered", () => {
  let withRsa: GatewayProcess;
  beforeAll(async () => {
    const rsa = ours.issue("/CN=localhost", { server: true, rsa: true });
    withRsa = await world.gateway({ ...TLS, GATEWAY_TLS_CERT: rsa.cert, GATEWAY_TLS_KEY: rsa.key });
  });

  const offer = (...args: string[]) => offerTo(gateway.tlsUrl, ...args);

  /** What openssl says of one handshake. */
  function offerTo(url: string, ...args: string[]): string {
    const { host } = new URL(url);
    writeFileSync(join(folder, "ca.pem"), ours.cert);
    const all = ["s_client", "-connect", host, "-CAfile", join(folder, "ca.pem"), ...args];
    const { stdout, stderr } = spawnSync("openssl", all, { input: "", encoding: "utf8", timeout: 20_000 });
    return stdout + stderr;
  }
  const WEAK = "@SECLEVEL=0";

  test.each(["-tls1", "-tls1_1"])("[D5] [1.8-tls] %s is refused", (version) => {
    expect(offer(version, "-cipher", `ALL${WEAK}`)).toMatch(/alert protocol version/i);
  });

  test.each(["-tls1_2", "-tls1_3"])("[1.8-tls] %s is spoken, without compression", (version) => {
    const said = offer(version);
    expect(said).toContain("Verify return code: 0 (ok)");
    expect(said).toContain("Compression: NONE");
  });

  test.each([
    "DES-CBC3-SHA",
    "RC4-SHA",
    "AES128-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "AES128-SHA256",
    "NULL-SHA256",
    "aNULL",
  ])("[D5] [1.8-tls] the old suite %s is not", (cipher) => {
    for (const { tlsUrl } of [gateway, withRsa]) {
      const said = offerTo(tlsUrl, "-tls1_2", "-cipher", `${cipher}${WEAK}`);
      expect(said).toMatch(/Cipher is \(NONE\)|no cipher match|no ciphers available/i);
    }
  });

  test.each(["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])(
    "[D5] [1.8-tls] with an ECDSA certificate %s is spoken",
    (cipher) => {
      expect(offer("-tls1_2", "-cipher", cipher)).toMatch(new RegExp(`Cipher is ${cipher}`));
    },
  );

  test.each(["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"])(
    "[D5] [1.8-tls] with an RSA certificate %s is spoken",
    (cipher) => {
      expect(offerTo(withRsa.tlsUrl, "-tls1_2", "-cipher", cipher)).toMatch(new RegExp(`Cipher is ${cipher}`));
    },
  );

  test("[D5] [1.8-tls] a station cannot negotiate anew on an open connection", async () => {
    const { host } = new URL(gateway.tlsUrl);
    const socket = connect({
      port: Number(host.split(":")[1]),
      host: "localhost",
      ca: ours.cert,
      maxVersion: "TLSv1.2",
    });
    await once(socket, "secureConnect");
    const ended = once(socket, "error").then(
      ([error]) => String(error),
      () => "",
    );
    const refused = new Promise<string>((resolve) => {
      socket.renegotiate({}, (error) => resolve(String(error)));
      socket.on("close", () => resolve("closed"));
    });
    expect(await Promise.race([refused, ended])).not.toBe("null");
    socket.destroy();
  });
});

test("[1.8-tls] certificates that cannot work end the start with their mistakes", async () => {
  const other = ours.issue("/CN=localhost", { server: true });
  await expect(world.gateway({ ...TLS, GATEWAY_TLS_KEY: other.key })).rejects.toThrow(
    /GATEWAY_TLS_KEY: is not the key/,
  );
  await expect(
    world.gateway({
      GATEWAY_PORT: "off",
      GATEWAY_TLS_CERT: "x",
      GATEWAY_TLS_KEY: "y",
      CLIENT_CERTIFICATE_HEADER: "a b",
    }),
  ).rejects.toThrow(/GATEWAY_TLS_CERT(.|\n)*GATEWAY_TLS_KEY(.|\n)*CLIENT_CERTIFICATE_HEADER(.|\n)*GATEWAY_PORT=off/);
  await expect(world.gateway({ GATEWAY_MTLS_PORT: "0" })).rejects.toThrow(/GATEWAY_TLS_CERT(.|\n)*GATEWAY_MTLS_CA/);
});

test("[D3] a revoked certificate ends the connection that it was shown on", async () => {
  const station = await profile3();
  const { closed } = await connectStation(gateway.mtlsUrl, station, { tls: trusting(good), withoutPassword: true });
  await world.change(station, { rev: 2, revokedCertificates: [fingerprintOf(good)] });
  expect((await closed).code).toBe(1008);
  const stored = (await world.stored(station.identity)).map(({ text }) => text).join("\n");
  expect(stored).toContain("InvalidChargingStationCertificate");
  await until("nobody owns it", async () => (await world.owner(station.identity)).node === undefined);
});
