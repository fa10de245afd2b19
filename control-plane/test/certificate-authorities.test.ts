// Authorities outside of the product, and what stations say that they have installed.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttpAuthority } from "../certificates/http-authority.ts";
import { createRevocationWork } from "../certificates/revocation-work.ts";
import { readSigningRequest } from "../certificates/signing-request.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { inTransaction } from "../database.ts";
import { type CertificateScene, startCertificateScene } from "./certificate-scene.ts";

let scene: CertificateScene;
let { openssl, log, world, pool, station, work, makeDue } = {} as CertificateScene;
beforeAll(async () => {
  scene = await startCertificateScene();
  ({ openssl, log, world, pool, station, work, makeDue } = scene);
});
afterAll(() => scene.close());

test("an authority behind HTTP is asked until it answers, issues once per request, and hears of revocations", async () => {
  const asked: { path: string; key: string; body: Record<string, unknown> }[] = [];
  const answers = [
    { status: 503, body: "{}" },
    { status: 200, body: "no JSON" },
    { status: 200, body: () => JSON.stringify({ certificate_chain: openssl.root("wrong").certificate }) },
    { status: 200, body: (csr: string) => JSON.stringify({ certificate_chain: signed.get(csr) }) },
    { status: 204, body: "" },
  ];
  const signed = new Map<string, string>();
  const server = createServer((incoming, response) => {
    let text = "";
    incoming.on("data", (chunk) => (text += String(chunk)));
    incoming.on("end", () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      asked.push({ path: incoming.url!, key: String(incoming.headers["idempotency-key"]), body });
      const answer = answers[asked.length - 1]!;
      response
        .writeHead(answer.status)
        .end(typeof answer.body === "string" ? answer.body : answer.body(String(body["csr"])));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const remote = createHttpAuthority({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: "secret",
  });
  const unit = await station("2.1");
  const csr = unit.csr();
  const { issueFor } = localSigner();
  signed.set(csr, await issueFor(csr, unit.serialNumber));
  await work(); // what other tests left
  await unit.sign(csr);
  for (let i = 0; i < 4; i++) {
    await makeDue(unit.known.id);
    await work(remote);
  }
  expect((await unit.get("certificates")).certificates).toHaveLength(1);
  expect(new Set(asked.map((one) => one.key)).size).toBe(1);
  expect(asked[0]).toMatchObject({
    path: "/issue",
    body: {
      csr,
      serial_number: unit.serialNumber,
      organization_name: "ChargeCo",
      certificate_type: "ChargingStationCertificate",
    },
  });
  const [{ certificate_id: id, fingerprint }] = (await unit.get("certificates")).certificates;
  await world.ask("POST", `/api/v1/charge-points/${unit.id}/certificates/${id}/revoke`, { as: unit.key, body: {} });
  await world.sql.query("update station_certificates set revocation_due_at = null where id <> $1", [id]); // of other tests
  const revocations = createRevocationWork({ pool, authority: remote, log });
  for (const due of await revocations.due(10)) await revocations.run(due);
  expect(asked.at(-1)).toMatchObject({ path: "/revoke", body: { fingerprint, reason: "unspecified" } });
  expect(await revocations.due(10)).toEqual([]);
  server.close();
});

test("[1.8-renewal] [D3] a certificate that the gateways would refuse is not given to a station, and the reason is on record", async () => {
  const { issueFor } = localSigner();
  for (const [what, serialNumber, organizationName] of [
    ["CN", "SN-of-another", "ChargeCo"],
    ["O", undefined, "Its own department"],
  ] as const) {
    const unit = await station();
    await unit.sign(unit.csr());
    await work({
      issue: async (order) => ({
        ok: true,
        value: await issueFor(order.csr, serialNumber ?? order.serialNumber, organizationName),
      }),
    });
    expect(await unit.commands()).toEqual([]);
    expect((await unit.get("certificates")).certificates).toEqual([]);
    const [request] = (await unit.get("certificate-requests")).certificate_requests;
    expect(request).toMatchObject({
      status: "accepted",
      reason: expect.stringContaining(`certificate's ${what} is not`),
    });
  }
});

/** Somebody who signs with our test authority, outside of the code under test. */
function localSigner() {
  return {
    async issueFor(csr: string, serialNumber: string, organizationName = "ChargeCo"): Promise<string> {
      const read = readSigningRequest(csr);
      const issued = await scene.authority.issue({
        orderId: "x",
        certificateType: "ChargingStationCertificate",
        csr,
        publicKey: read.ok ? read.value.publicKey : (undefined as never),
        chargePointId: "x",
        serialNumber,
        organizationName,
      });
      return issued.ok ? issued.value : "";
    },
  };
}

test("what a station has installed is as it last told, by type; deleting and installing changes it", async () => {
  const unit = await station("2.0.1");
  const hash = (n: number) => ({
    hashAlgorithm: "SHA256",
    issuerNameHash: "aa",
    issuerKeyHash: "bb",
    serialNumber: String(n),
  });
  const command = async (action: string, payload: object, response: object, at = new Date()) => {
    const id = `cmd-${unit.id}-${Math.random()}`;
    await world.sql.query(
      `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, deadline_at) values ($1, $2, $3, '2.0.1', $4, $5, 'test', now())`,
      [id, unit.orgId, unit.known.id, action, JSON.stringify(payload)],
    );
    const outcome = { state: "accepted" as const, response: JSON.stringify(response), answeredAtMs: at.getTime() };
    await inTransaction(pool, (sql) => recordCommandOutcome(sql, { commandId: id, outcome, at }, { log }));
  };
  const chain = (type: string, n: number) => ({ certificateType: type, certificateHashData: hash(n) });
  const list = async () =>
    (await unit.get("installed-certificates")).installed_certificates.map(
      (one: { certificate_type: string; serial_number: string }) => `${one.certificate_type} ${one.serial_number}`,
    );
  await command(
    "GetInstalledCertificateIds",
    {},
    { status: "Accepted", certificateHashDataChain: [chain("V2GRootCertificate", 1), chain("CSMSRootCertificate", 2)] },
  );
  expect(await list()).toEqual(["CSMSRootCertificate 2", "V2GRootCertificate 1"]);
  // An answer that is older than what is known comes late.
  await command("GetInstalledCertificateIds", {}, { status: "NotFound" }, new Date(Date.now() - 60_000));
  expect(await list()).toHaveLength(2);
  await command(
    "GetInstalledCertificateIds",
    { certificateType: ["V2GRootCertificate"] },
    { status: "Accepted", certificateHashDataChain: [chain("V2GRootCertificate", 3)] },
  );
  expect(await list()).toEqual(["CSMSRootCertificate 2", "V2GRootCertificate 3"]);
  await command("DeleteCertificate", { certificateHashData: hash(2) }, { status: "Accepted" });
  expect(await list()).toEqual(["V2GRootCertificate 3"]);
  await command(
    "InstallCertificate",
    { certificateType: "MORootCertificate", certificate: "x" },
    { status: "Accepted" },
  );
  expect(await unit.commands("GetInstalledCertificateIds")).toContainEqual(
    expect.objectContaining({ state: "queued", payload: { certificateType: ["MORootCertificate"] } }),
  );
});
