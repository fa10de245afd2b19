// Addresses that stations name (GetCertificateStatus, GetCertificateChainStatus, Authorize): never a way into the network.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { hostname } from "node:os";
import { X509Certificate } from "node:crypto";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CertificateDecisions } from "../certificates/certificate-decisions.ts";
import { openCertificateDecisions } from "../certificates/certificate-decisions-config.ts";
import { judgeContract } from "../certificates/contract-certificate.ts";
import {
  decideCertificateStatus,
  decideChainStatus,
  decideContractCertificate,
} from "../certificates/decide-certificate-status.ts";
import { encodeOcspRequest, hashDataOf, readOcspAnswer } from "../certificates/ocsp-message.ts";
import { readConfig } from "../processes/decisions/config.ts";
import type { DecisionStep } from "../decisions/decision.ts";
import { createGuardedFetch, type GuardedFetch } from "../webhooks/guarded-fetch.ts";
import { OpenSsl } from "./openssl.ts";

const openssl = new OpenSsl();
let responder: Awaited<ReturnType<OpenSsl["responder"]>>;
let root: X509Certificate;
const leaves = new Map<number, X509Certificate>();
/** What a deployment has: nothing in its configuration reaches this machine. */
let deployed: CertificateDecisions & { close(): Promise<void> };
/** The same, but that its fetch may reach the responder of this test. */
let reaching: CertificateDecisions & { close(): Promise<void> };
let spy: Server;
let spyConnections = 0;
let spyPort: number;
let toHere: GuardedFetch;
/** What the guarded fetch said to each request of `deployed`: "refused" is said before anything is sent. */
const outcomes: Awaited<ReturnType<GuardedFetch["send"]>>[] = [];
const watched = (fetch: GuardedFetch): GuardedFetch => ({
  async send(request) {
    const outcome = await fetch.send(request);
    outcomes.push(outcome);
    return outcome;
  },
  close: () => fetch.close(),
});
/** Sockets of this process to anywhere. */
let sockets = 0;
const countSocket = () => void (sockets += 1);
subscribe("net.client.socket", countSocket);
afterAll(() => void unsubscribe("net.client.socket", countSocket));

beforeAll(async () => {
  const made = openssl.root("mo-root");
  root = new X509Certificate(made.certificate);
  for (const serial of [0x81, 2, 3])
    leaves.set(
      serial,
      new X509Certificate(openssl.issue("mo-root", `/O=eMSP/CN=DE8ACC12E4${serial}`, serial).certificate),
    );
  responder = await openssl.responder("mo-root", { [0x81]: "V", 2: "R" });
  spy = createServer((_, response) => response.end("secret of the inside")).on("connection", () => spyConnections++);
  spy.listen(0, "::");
  await once(spy, "listening");
  spyPort = (spy.address() as AddressInfo).port;
  const env = {
    DATABASE_URL: "postgres://u:p@localhost/d",
    REDIS_URL: "redis://localhost",
    SECRETS_KEY: Buffer.alloc(32).toString("base64"),
    OCSP_PORTS: `80,443,${spyPort}`,
    ISO15118_ROOTS: made.certificate,
  };
  const { certificates: settings } = readConfig(env, () => "");
  deployed = openCertificateDecisions(settings, watched(createGuardedFetch(settings.ocspTargets)));
  toHere = createGuardedFetch({ ...settings.ocspTargets, allowPrivate: true });
  reaching = openCertificateDecisions(settings, toHere);
});
afterAll(async () => {
  await deployed.close();
  await reaching.close();
  spy.close();
  await responder.stop();
  openssl.remove();
});

/** How a station names one of the certificates. */
const hashOf = (serial: number) => ({
  ...hashDataOf(leaves.get(serial)!, root),
  // Without leading zeros, in any case, as stations write it.
  serialNumber: serial.toString(16).toUpperCase(),
});

async function decide(
  step: DecisionStep,
  action: string,
  payload: object,
  certificates: CertificateDecisions,
  version: "2.0.1" | "2.1" = "2.1",
) {
  const question = { version, action, payloadText: JSON.stringify(payload) } as Parameters<DecisionStep>[0];
  const decision = await step(question, { certificates } as Parameters<DecisionStep>[1]);
  if (decision.kind !== "answer") throw new Error("refused");
  expect(validatePayload(version, action, "response", decision.payload)).toBeUndefined();
  return decision.payload as Record<string, any>; // oxlint-disable-line no-explicit-any
}
const status = (serial: number, responderURL: string, certificates = reaching) =>
  decide(
    decideCertificateStatus,
    "GetCertificateStatus",
    { ocspRequestData: { ...hashOf(serial), responderURL } },
    certificates,
  );

test.each([
  "169.254.169.254/latest/meta-data/",
  "localhost:PORT/",
  "127.0.0.1:PORT/",
  "127.1:PORT/",
  "2130706433:PORT/",
  "0x7f000001:PORT/",
  "017700000001:PORT/",
  "0.0.0.0:PORT/",
  "[::1]:PORT/",
  "[::ffff:127.0.0.1]:PORT/",
  "[::ffff:169.254.169.254]/",
  "user:password@127.0.0.1:PORT/",
  `${hostname()}:PORT/`,
  "kubernetes.default.svc:PORT/",
  "redis.dynamo.svc.cluster.local:PORT/",
  "10.0.0.1/",
  "192.168.0.1/",
  "[fd00::1]/",
])("[1.8-ocsp] [D10] no request leaves for %s, over http or https", async (address) => {
  outcomes.length = 0;
  const before = sockets;
  for (const scheme of ["http", "https"]) {
    const url = `${scheme}://${address.replace("PORT", String(spyPort))}`;
    expect(await status(2, url, deployed)).toMatchObject({ status: "Failed" });
    const chain = await decide(
      decideChainStatus,
      "GetCertificateChainStatus",
      { certificateStatusRequests: [{ certificateHashData: hashOf(2), source: "OCSP", urls: [url] }] },
      deployed,
    );
    expect(chain["certificateStatus"]).toMatchObject([{ status: "Failed" }]);
    const claim = { token: "DE8ACC12E42", hashData: [{ ...hashOf(2), responderURL: url }] };
    expect(await judgeContract(claim, deployed)).toBe("CertChainError");
  }
  expect(spyConnections).toBe(0);
  // Nor to an address where nobody here listens: a name is refused when it resolves to such a one (these may not resolve at
  // all), an address before there is a socket.
  expect(outcomes).toHaveLength(6);
  for (const outcome of outcomes) {
    const { kind, reason } = outcome.ok ? { kind: "answered", reason: "" } : outcome.error;
    if (/^[a-z]+\./.test(address)) expect(reason).toMatch(/^the host (name does not resolve|is not a public address)/);
    else {
      expect(kind).toBe("refused");
      expect(reason).toMatch(/is not a public address|must not carry a user name/);
    }
  }
  if (/^[\d[]/.test(address)) expect(sockets).toBe(before);
});

test.each(["file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://127.0.0.1/", "x", "", "http://"])(
  "[1.8-ocsp] [D10] %j is no responder",
  async (url) => {
    expect(await status(2, url, deployed)).toMatchObject({ status: "Failed" });
  },
);

test("[1.8-ocsp] [D10] a station is not told which names of the inside there are", async () => {
  const told = async (host: string) =>
    (await status(2, `http://${host}:${spyPort}/`, deployed))["statusInfo"] as { additionalInfo: string };
  expect(await told(hostname())).toEqual(await told("no-such-name.invalid"));
});

test("[1.8-ocsp] an answer that names no next one counts for a day", async () => {
  const keptFor = (ms: number) => readOcspAnswer(answerWithoutNext, hashOf(2), new Date(Date.now() + ms));
  const unlimited = await openssl.responder("mo-root", { 2: "V" }, []);
  const sent = await toHere.send({
    url: unlimited.url,
    method: "POST",
    headers: { "content-type": "application/ocsp-request" },
    body: encodeOcspRequest(hashOf(2))!,
    timeoutMs: 5_000,
    maxResponseBytes: 16_384,
  });
  const answerWithoutNext = sent.ok ? sent.value.body : Buffer.alloc(0);
  await unlimited.stop();
  expect(keptFor(0)).toMatchObject({ ok: true, value: { nextUpdate: undefined } });
  expect(keptFor(25 * 3_600_000)).toEqual({ ok: false, error: "the answer is too old" });
});

test("[1.8-ocsp] a responder's answer is passed on as it came, and says what it says", async () => {
  const answer = await status(2, responder.url);
  expect(answer).toMatchObject({ status: "Accepted", ocspResult: expect.any(String) });
  writeFileSync(openssl.path("answer.der"), Buffer.from(answer["ocspResult"] as string, "base64"));
  const text = openssl.run("ocsp", "-respin", "answer.der", "-resp_text", "-CAfile", "mo-root.pem").toString();
  expect(text).toContain("Serial Number: 02");
  expect(text).toContain("Cert Status: revoked");
  expect(await status(0x81, responder.url)).toMatchObject({ status: "Accepted" });
});

test("[1.8-ocsp] what is no OCSP answer about that certificate never reaches the station", async () => {
  const before = spyConnections;
  const answer = await status(2, `http://127.0.0.1:${spyPort}/`);
  expect(spyConnections).toBe(before + 1);
  expect(answer).toEqual({
    status: "Failed",
    statusInfo: { reasonCode: "NotFound", additionalInfo: "the answer cannot be read" },
  });
  // An answer about another certificate, kept from before.
  const other = Buffer.from((await status(0x81, responder.url))["ocspResult"] as string, "base64");
  const replaying = createServer((_, response) => response.end(other)).listen(0, "127.0.0.1");
  await once(replaying, "listening");
  const url = `http://127.0.0.1:${(replaying.address() as AddressInfo).port}/`;
  expect(await status(2, url)).toMatchObject({
    statusInfo: { additionalInfo: "the answer is about another certificate" },
  });
  replaying.close();
});

test("[1.8-ocsp] redirects are not followed, and one that hangs or floods is given up", async () => {
  const seen = spyConnections;
  const redirecting = createServer((_, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${spyPort}/` }).end(),
  );
  const flooding = createServer((_, response) => response.end(Buffer.alloc(5_000_000)));
  const silent = createTcpServer();
  for (const [server, reason] of [
    [redirecting, "HTTP 302"],
    [flooding, "cannot be read"],
    [silent, "cannot be reached"],
  ] as const) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect((await status(2, url))["statusInfo"].additionalInfo).toContain(reason);
    server.close();
  }
  expect(spyConnections).toBe(seen);
});

test("[1.8-ocsp] hosts outside the list are not asked", async () => {
  const listed = openCertificateDecisions(
    {
      issuedTypes: [],
      ocspTargets: { allowPrivate: true, ports: [], blockedNetworks: [] },
      ocspHosts: new Set(["ocsp.example"]),
      roots: [],
      contractProvider: undefined,
    },
    toHere,
  );
  expect(await status(2, responder.url, listed)).toMatchObject({ status: "Failed" });
});

test("the state of a chain is told by our word, when the answer is signed for the issuer", async () => {
  const chain = (certificates: CertificateDecisions) =>
    decide(
      decideChainStatus,
      "GetCertificateChainStatus",
      {
        certificateStatusRequests: [
          ...[0x81, 2, 3].map((serial) => ({
            certificateHashData: hashOf(serial),
            source: "OCSP",
            urls: [responder.url],
          })),
          { certificateHashData: hashOf(2), source: "CRL", urls: [responder.url] },
        ],
      },
      certificates,
    );
  expect((await chain(reaching))["certificateStatus"].map((one: { status: string }) => one.status)).toEqual([
    "Good",
    "Revoked",
    "Unknown",
    "Failed",
  ]);
});

test("a contract is accepted when its chain leads to a root of ours and no certificate of it is revoked", async () => {
  const pem = (serial: number) => leaves.get(serial)!.toString() + root.toString();
  const claim = (serial: number, more: object = {}) => ({
    token: `DE-8AC-C12E4${serial}`,
    certificate: pem(serial),
    hashData: [{ ...hashOf(serial), responderURL: responder.url }],
    ...more,
  });
  const judge = (made: object) => judgeContract(made as Parameters<typeof judgeContract>[0], reaching);
  expect(await judge(claim(0x81))).toBe("Accepted");
  expect(await judge({ ...claim(0x81), certificate: undefined })).toBe("Accepted");
  expect(await judge(claim(2))).toBe("CertificateRevoked");
  expect(await judge(claim(3))).toBe("CertChainError"); // the responder does not know it
  expect(await judge(claim(0x81, { token: "DE8ACC12E4X" }))).toBe("CertChainError"); // another contract's token
  expect(await judge(claim(0x81, { certificate: "x" }))).toBe("CertChainError");
  const stranger = openssl.root("stranger");
  const strange = openssl.issue("stranger", "/CN=DE8ACC12E4129", 129).certificate + stranger.certificate;
  expect(await judge(claim(0x81, { certificate: strange }))).toBe("CertChainError");
  const impostor = new OpenSsl();
  impostor.root("mo-root"); // the same name, another key
  const forged = impostor.issue("mo-root", "/CN=DE8ACC12E4129", 129).certificate;
  expect(await judge(claim(0x81, { certificate: forged }))).toBe("SignatureError");
  impostor.remove();
  const expired = openssl.issue("mo-root", "/CN=DE8ACC12E4129", 77, { days: -1 }).certificate;
  expect(await judge(claim(0x81, { certificate: expired }))).toBe("CertificateExpired");
  expect(await judge({ token: "x" })).toBe("NoCertificateAvailable");
  expect(await judgeContract({ token: "DE8ACC12E4129", certificate: pem(0x81) }, { ...reaching, roots: [] })).toBe(
    "NoCertificateAvailable",
  );
});

test("without hashes the responder that the certificate names is asked", async () => {
  const extension = `authorityInfoAccess = OCSP;URI:${responder.url}\n`;
  const certificate = openssl.issue("mo-root", "/CN=DE8ACC12E42", 2, { extension }).certificate + root.toString();
  expect(await judgeContract({ token: "DE8ACC12E42", certificate }, reaching)).toBe("CertificateRevoked");
});

test("contract certificates come from the provider, and only in a form that a station takes", async () => {
  const answers = ['{"status":"Accepted","exiResponse":"AQID"}', '{"status":"Accepted"}', "no JSON"];
  const asked: string[] = [];
  const provider = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += String(chunk)));
    request.on("end", () => {
      asked.push(`${request.headers.authorization} ${text}`);
      response.end(answers.shift());
    });
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`;
  const withProvider = openCertificateDecisions(
    {
      issuedTypes: [],
      ocspTargets: { allowPrivate: false, ports: [], blockedNetworks: [] },
      ocspHosts: new Set(),
      roots: [],
      contractProvider: { url, token: "t" },
    },
    toHere,
  );
  const payload = { iso15118SchemaVersion: "urn:iso:15118:2:2013:MsgDef", action: "Install", exiRequest: "AAAA" };
  const ask = (certificates: CertificateDecisions) =>
    decide(decideContractCertificate, "Get15118EVCertificate", payload, certificates, "2.0.1");
  expect(await ask(withProvider)).toEqual({ status: "Accepted", exiResponse: "AQID" });
  expect(asked).toEqual([`Bearer t ${JSON.stringify(payload)}`]);
  expect(await ask(withProvider)).toMatchObject({ status: "Failed", exiResponse: "" });
  expect(await ask(withProvider)).toMatchObject({ status: "Failed", exiResponse: "" });
  provider.close();
  expect(await ask(withProvider)).toMatchObject({ status: "Failed" });
  expect(await ask(deployed)).toMatchObject({ status: "Failed" });
});
