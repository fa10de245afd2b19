// A station's certificate over real sockets: from the authority to the listener for client certificates, and its end.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { rest } from "./rest-client.ts";

type Payload = Record<string, unknown>;
interface KeyPair {
  key: string;
  cert: string;
}

const folder = mkdtempSync(join(tmpdir(), "certificates-"));
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A key with a request for a certificate, or with one that it signed itself. */
function newKey(name: string, subject: string, ...more: string[]): KeyPair {
  const file = (kind: string) => join(folder, `${name}.${kind}`);
  const args = ["req", "-new", ...CURVE, "-subj", subject, "-keyout", file("key"), "-out", file("pem"), ...more];
  execFileSync("openssl", args, { stdio: "ignore" });
  return { key: readFileSync(file("key"), "utf8"), cert: readFileSync(file("pem"), "utf8") };
}

const authority = newKey("authority", "/O=Test/CN=Stations", "-x509", "-addext", "keyUsage=critical,keyCertSign");
const server = newKey("server", "/CN=localhost", "-x509", "-addext", "subjectAltName=DNS:localhost");

let cluster: Cluster;
let mtlsUrl: string;
beforeAll(async () => {
  cluster = await startCluster({
    CERTIFICATE_AUTHORITY: "local",
    LOCAL_CA_KEY_FILE: join(folder, "authority.key"),
    LOCAL_CA_CERT_FILE: join(folder, "authority.pem"),
    GATEWAY_MTLS_PORT: "0",
    GATEWAY_MTLS_CA: authority.cert,
    GATEWAY_TLS_CERT: server.cert,
    GATEWAY_TLS_KEY: server.key,
  });
  const ready = cluster
    .log("gateway1")
    .split("\n")
    .find((line) => line.includes('"msg":"ready"'));
  mtlsUrl = `wss://localhost:${(JSON.parse(ready ?? "{}") as { mtlsPort: number }).mtlsPort}`;
});
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

/** A station that takes what it is given. Rejects when it is not let in. */
async function connect(identity: string, proof: { password: string } | KeyPair) {
  const socket = new WebSocket(
    `${"password" in proof ? cluster.ocppUrls[0] : mtlsUrl}/ocpp/${identity}`,
    ["ocpp2.0.1"],
    {
      ...("password" in proof ? { auth: `${identity}:${proof.password}` } : { ...proof, ca: server.cert }),
      perMessageDeflate: false,
    },
  );
  let chain: string | undefined;
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  socket.on("message", (data: Buffer) => {
    const [type, id, action, payload] = JSON.parse(data.toString()) as [number, string, string, Payload];
    if (type !== 2) return;
    if (action === "CertificateSigned") chain = payload["certificateChain"] as string;
    socket.send(JSON.stringify([3, id, { status: "Accepted" }]));
  });
  await once(socket, "open");
  return {
    socket,
    closed,
    /** Has a new key certified. */
    async certify(name: string, subject: string): Promise<KeyPair> {
      const { key, cert: csr } = newKey(name, subject);
      chain = undefined;
      socket.send(JSON.stringify([2, name, "SignCertificate", { csr }]));
      const cert = await eventually("CertificateSigned", () => chain);
      return { key, cert };
    },
  };
}

const isRefused = (identity: string, proof: { password: string } | KeyPair) =>
  connect(identity, proof).then(
    ({ socket }) => {
      socket.terminate();
      return false;
    },
    () => true,
  );

test("[D3] [1.8-client-cert] [1.8-renewal] a station goes from its password to a certificate of the authority, renews it, and the revoked one ends its connection", async () => {
  const [unit] = await cluster.generateStations(1, "2.0.1");
  const { identity, password } = unit!;
  const url = `${cluster.apiUrl}/api/v1/charge-points/${identity}`;
  const { body: shown } = await rest("GET", url, cluster.apiKey);
  const subject = `/O=Test CPO/CN=${String(shown["serial_number"])}`;
  const withPassword = await connect(identity, { password });
  const first = await withPassword.certify("first", subject);

  await rest("PATCH", url, cluster.apiKey, { security_profile: 3, force: true });
  expect(await withPassword.closed).toBe(1008);
  expect(await isRefused(identity, { password })).toBe(true);
  const station = await connect(identity, first);
  const second = await station.certify("second", subject);
  const certificates = async () =>
    (await rest("GET", `${url}/certificates`, cluster.apiKey)).body["certificates"] as Payload[];
  const [, old] = await eventually("both are installed, and the first was used", async () => {
    const all = await certificates();
    const [newer, older] = all;
    return newer?.["status"] === "installed" && older?.["first_used_at"] ? all : undefined;
  });

  const revocation = await rest(
    "POST",
    `${url}/certificates/${String(old!["certificate_id"])}/revoke`,
    cluster.apiKey,
    {
      reason: "its key was copied",
    },
  );
  expect(revocation.status).toBe(200);
  expect(await station.closed).toBe(1008);
  expect(await isRefused(identity, first)).toBe(true);
  expect(await isRefused(identity, { password })).toBe(true);
  // The station is not locked out by it.
  const renewed = await connect(identity, second);
  expect(renewed.socket.readyState).toBe(WebSocket.OPEN);
  const attempts = await eventually("the refusal is told", async () => {
    const { body } = await rest("GET", `${url}/connection-attempts`, cluster.apiKey);
    const all = JSON.stringify(body);
    return all.includes("bad_client_certificate") ? all : undefined;
  });
  expect(attempts).toContain("revoked");
  renewed.socket.terminate();
});
