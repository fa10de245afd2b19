// A station's own certificate: from its SignCertificate to CertificateSigned, its renewal and its revocation.
import { X509Certificate } from "node:crypto";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askForRenewals } from "../certificates/ask-for-renewals.ts";
import { restoreRequests, signingRequestIn } from "../certificates/certificate-requests.ts";
import { recordCertificateUses } from "../certificates/first-uses.ts";
import { inTransaction } from "../database.ts";
import { relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { type CertificateScene, startCertificateScene } from "./certificate-scene.ts";

let scene: CertificateScene;
let { openssl, world, pool, station, work, end, makeDue } = {} as CertificateScene;
beforeAll(async () => {
  scene = await startCertificateScene();
  ({ openssl, world, pool, station, work, end, makeDue } = scene);
});
afterAll(() => scene.close());

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[1.8-renewal] OCPP %s: accepted at once, issued, delivered, installed",
  async (version) => {
    const unit = await station(version);
    const csr = unit.csr();
    const more = version === "2.1" ? { requestId: 42, certificateType: "ChargingStationCertificate" } : {};
    expect(await unit.sign(csr, more)).toEqual({ status: "Accepted" });
    expect(await unit.commands()).toEqual([]); // the authority was not asked meanwhile
    await work();
    const [command] = await unit.commands();
    const { certificateChain } = command!.payload;
    expect(command?.payload).toEqual({
      certificateChain,
      ...(version === "1.6" ? {} : { certificateType: "ChargingStationCertificate" }),
      ...(version === "2.1" ? { requestId: 42 } : {}),
    });
    expect(openssl.verifies("ca", certificateChain)).toBe(true);
    expect((await unit.get("certificates")).certificates).toMatchObject([
      { status: "issued", certificate_chain: certificateChain },
    ]);
    await end(command!.id, { state: "accepted", response: '{"status":"Accepted"}' });
    const [shown] = (await unit.get("certificates")).certificates;
    expect(shown).toMatchObject({
      status: "installed",
      fingerprint: new X509Certificate(certificateChain).fingerprint256.replaceAll(":", "").toLowerCase(),
      subject: `O=ChargeCo, CN=${unit.serialNumber}`,
    });
    expect((await unit.get("certificate-requests")).certificate_requests).toMatchObject([
      { status: "installed", times_asked: 1 },
    ]);
  },
);

test("[1.8-renewal] [D9] a hundred repeats of a request are one issuance", async () => {
  const unit = await station();
  const csr = unit.csr();
  const answers = await Promise.all(Array.from({ length: 100 }, () => unit.sign(csr)));
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['{"status":"Accepted"}']));
  await Promise.all([work(), work(), work()]);
  for (let i = 0; i < 5; i++) {
    await unit.sign(csr);
    await work();
  }
  expect((await unit.get("certificates")).certificates).toHaveLength(1);
  expect(await unit.commands()).toHaveLength(1);
  expect((await unit.get("certificate-requests")).certificate_requests).toMatchObject([{ times_asked: 105 }]);
});

test("[1.8-csr] [D9] another CN, another organisation, a weak key or a forged request are refused, with the reason on record", async () => {
  const unit = await station();
  const bad = [
    unit.csr("/O=ChargeCo/CN=SN-of-another"),
    unit.csr("/O=Evil/CN=" + unit.serialNumber),
    unit.csr(undefined, ["rsa:1024"]),
    unit.csr(undefined, ["rsa:2048"], "sha1"),
    "no request at all \u0000",
  ];
  for (const csr of bad)
    expect(await unit.sign(csr)).toMatchObject({ status: "Rejected", statusInfo: { reasonCode: "InvalidCSR" } });
  await work();
  expect((await unit.get("certificates")).certificates).toEqual([]);
  const { certificate_requests: requests } = await unit.get("certificate-requests");
  expect(requests.map((one: { reason: string }) => one.reason).toReversed()).toEqual([
    "its CN is not the serial number of this charge point",
    "its O is not the name of the organisation",
    "its RSA key has 1024 bits, wanted are 2048 to 8192",
    "it is signed with an algorithm that is not taken",
    "it is no PEM text of a certificate request",
  ]);
  const events = await world.sql.query("select source, type from security_events where station_id = $1", [
    unit.known.id,
  ]);
  expect(events).toEqual(bad.map(() => ({ source: "csms", type: "CertificateRequestRefused" })));
});

test("[1.8-csr] a refused request is judged anew when the station's file was corrected", async () => {
  const unit = await station();
  const csr = unit.csr("/O=ChargeCo/CN=SN-corrected");
  expect(await unit.sign(csr)).toMatchObject({ status: "Rejected" });
  await world.sql.query("update stations set serial_number = 'SN-corrected' where id = $1", [unit.known.id]);
  expect(await unit.sign(csr)).toEqual({ status: "Accepted" });
});

test("[1.8-csr] a station that makes key after key is stopped, and refused requests do not pile up", async () => {
  const unit = await station();
  for (let i = 0; i < 10; i++) expect(await unit.sign(unit.csr())).toEqual({ status: "Accepted" });
  expect(await unit.sign(unit.csr())).toMatchObject({ status: "Rejected" });
  for (let i = 0; i < 30; i++) await unit.sign(`nonsense ${i}`);
  const rows = await world.sql.query(
    `select 1 from certificate_requests where station_id = $1 and state = 'rejected'`,
    [unit.known.id],
  );
  expect(rows).toHaveLength(20);
});

test("without an authority, and for kinds that it does not issue, the answer is no", async () => {
  const unit = await station("2.1");
  expect(await unit.sign(unit.csr(), {}, [])).toMatchObject({ status: "Rejected" });
  expect(await unit.sign(unit.csr(), { certificateType: "V2GCertificate" })).toMatchObject({ status: "Rejected" });
});

test("[1.8-renewal] a CertificateSigned that was not heard is sent again with the same certificate", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  const [first] = await unit.commands();
  await end(first!.id, { state: "timeout" });
  await work(); // not yet due
  expect(await unit.commands()).toHaveLength(1);
  await makeDue(unit.known.id);
  await work();
  const [, second] = await unit.commands();
  expect(second?.payload).toEqual(first?.payload);
  await end(second!.id, { state: "rejected", response: '{"status":"Rejected"}' });
  expect((await unit.get("certificates")).certificates).toMatchObject([{ status: "refused" }]);
  expect((await unit.get("certificate-requests")).certificate_requests).toMatchObject([
    { status: "failed", reason: "the charge point refused the certificate" },
  ]);
});

test("[1.8-renewal] the old certificate is good until it expires or is revoked; the newer one supersedes it in name alone", async () => {
  const unit = await station();
  for (let i = 0; i < 2; i++) {
    await unit.sign(unit.csr());
    await work();
    await end((await unit.commands()).at(-1)!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  }
  expect((await unit.get("certificates")).certificates.map((one: { status: string }) => one.status)).toEqual([
    "installed",
    "superseded",
  ]);
  await rewriteRecord(unit);
  const record = await recordAfterWrite(unit);
  // Without a serial number it were no record that a gateway lets anybody in by.
  expect(record).toMatchObject({ serialNumber: unit.serialNumber, organizationName: "ChargeCo" });
  expect(record.revokedCertificates).toBeUndefined();
  const [, { certificate_id: old, fingerprint }] = (await unit.get("certificates")).certificates;
  const path = `/api/v1/charge-points/${unit.id}/certificates/${old}/revoke`;
  expect((await world.ask("POST", path, { as: unit.key, body: {} })).status).toBe(200);
  expect((await recordAfterWrite(unit)).revokedCertificates).toEqual([fingerprint]);
});

test("[1.8-renewal] who connects with a certificate has it, whatever became of the message that brought it", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  const [command] = await unit.commands();
  await end(command!.id, { state: "unknown", reason: "the connection changed" });
  const [{ fingerprint }] = (await unit.get("certificates")).certificates;
  const at = new Date();
  await inTransaction(pool, (sql) => recordCertificateUses(sql, [{ stationId: unit.known.id, fingerprint, at }]));
  expect((await unit.get("certificates")).certificates).toMatchObject([
    { status: "installed", first_used_at: at.toISOString() },
  ]);
  await makeDue(unit.known.id);
  await work();
  expect(await unit.commands()).toHaveLength(1);
});

test("[1.8-renewal] before a certificate expires the station is asked for a new key, once a day", async () => {
  const units = [await station("1.6"), await station("2.0.1")];
  for (const unit of units) {
    await unit.sign(unit.csr());
    await work();
    await end((await unit.commands())[0]!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  }
  await askForRenewals({ pool, daysBefore: 30, limit: 100 });
  for (const unit of units) expect(await unit.commands("TriggerMessage")).toEqual([]);
  for (let i = 0; i < 3; i++) await askForRenewals({ pool, daysBefore: 91, limit: 100 });
  expect(await units[0]!.commands("ExtendedTriggerMessage")).toMatchObject([
    { payload: { requestedMessage: "SignChargePointCertificate" } },
  ]);
  expect(await units[1]!.commands("TriggerMessage")).toMatchObject([
    { payload: { requestedMessage: "SignChargingStationCertificate" } },
  ]);

  // The station said yes, and made no key.
  const [asked] = await units[1]!.commands("TriggerMessage");
  await end(asked!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  const askedAgainAfter = async (hours: number) => {
    await world.sql.query(
      `update station_certificates set renewal_asked_at = now() - $2 * interval '1 hour' where station_id = $1`,
      [units[1]!.known.id, hours],
    );
    await askForRenewals({ pool, daysBefore: 91, limit: 100 });
    return (await units[1]!.commands("TriggerMessage")).length - 1;
  };
  expect(await askedAgainAfter(23)).toBe(0);
  expect(await askedAgainAfter(25)).toBe(1);
});

/** Has the record written anew, from what the database says now. */
async function rewriteRecord({ known }: { known: { id: string } }): Promise<void> {
  await inTransaction(pool, (sql) => requestRegistryWrite(sql, known.id));
  await relayRegistryOutbox({ pool, redis: world.redis, heartbeatIntervalSeconds: 300, limit: 1_000 });
}

/** The record that gateways get of the station. Throws when they got none. */
async function recordAfterWrite({ id }: { id: string }) {
  const text = await world.redis.hget(stationRecord(id as StationIdentity), "record");
  if (text === null) throw new Error(`the gateways have no record of ${id}`);
  return decodeStationRecord(text);
}

test("[D3] a revoked certificate is in the gateways' record, until it would have expired anyway", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  await end((await unit.commands())[0]!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  const [{ certificate_id: id, fingerprint }] = (await unit.get("certificates")).certificates;
  const revoke = (as: string) =>
    world.ask("POST", `/api/v1/charge-points/${unit.id}/certificates/${id}/revoke`, { as, body: { reason: "stolen" } });
  const stranger = await world.organization();
  expect((await revoke(stranger.key)).status).toBe(404);
  expect(await revoke(unit.key)).toMatchObject({
    status: 200,
    body: { status: "revoked", revocation_reason: "stolen" },
  });
  expect(await recordAfterWrite(unit)).toMatchObject({
    serialNumber: unit.serialNumber,
    organizationName: "ChargeCo",
    revokedCertificates: [fingerprint],
  });
  // Asked again for the same key, the station needs another one.
  const [{ csr }] = (await world.sql.query<{ csr: string }>(
    "select csr from certificate_requests where station_id = $1",
    [unit.known.id],
  )) as [{ csr: string }];
  expect(await unit.sign(csr)).toMatchObject({ status: "Rejected" });
  await world.sql.query("update station_certificates set not_after = now() - interval '1 s' where id = $1", [id]);
  await revoke(unit.key);
  expect((await unit.get("certificates")).certificates).toMatchObject([{ status: "revoked" }]);
});

test("[D3] [1.8-renewal] a certificate that is revoked before it was delivered is delivered no more", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  const [{ certificate_id: id }] = (await unit.get("certificates")).certificates;
  await world.ask("POST", `/api/v1/charge-points/${unit.id}/certificates/${id}/revoke`, { as: unit.key, body: {} });
  expect(await unit.commands()).toMatchObject([{ state: "not_connected" }]);
  await makeDue(unit.known.id);
  await work();
  expect(await unit.commands()).toHaveLength(1);
});

test("[1.8-renewal] a station that never answered to its new certificate is asked for another before the old one expires", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  await end((await unit.commands())[0]!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  await unit.sign(unit.csr());
  await work();
  const renewals = async () => {
    await askForRenewals({ pool, daysBefore: 91, limit: 100 });
    return (await unit.commands("TriggerMessage")).length;
  };
  expect(await renewals()).toBe(0); // the new one is on its way
  await world.sql.query("update certificate_requests set attempts = 10 where station_id = $1", [unit.known.id]);
  await end((await unit.commands())[1]!.id, { state: "timeout" });
  expect(await renewals()).toBe(1);
});

test("[D3] [D9] the unit that was taken away keeps no certificate, and none that it asked for is issued", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await work();
  await end((await unit.commands())[0]!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  await unit.sign(unit.csr());
  const [{ fingerprint }] = (await unit.get("certificates")).certificates;
  const replaced = await world.ask("POST", `/api/v1/charge-points/${unit.id}/replace`, {
    as: unit.key,
    body: { serial_number: unit.serialNumber, reason: "a new board" },
  });
  expect(replaced.status).toBe(200);
  expect((await recordAfterWrite(unit)).revokedCertificates).toEqual([fingerprint]);
  await work();
  expect((await unit.get("certificates")).certificates).toMatchObject([{ status: "revoked" }]);
  expect((await unit.get("certificate-requests")).certificate_requests).toMatchObject([
    { status: "failed", reason: "the hardware was replaced" },
    { status: "installed" },
  ]);
});

test("[D8] [D9] two charge points with one serial number get no certificate that would do for both", async () => {
  const [unit, namesake] = [await station(), await station()];
  await world.sql.query("update stations set org_id = $2, serial_number = $3 where id = $1", [
    namesake.known.id,
    unit.orgId,
    unit.serialNumber,
  ]);
  expect(await unit.sign(unit.csr())).toMatchObject({
    status: "Rejected",
    statusInfo: { additionalInfo: expect.stringContaining("another charge point") },
  });
  await world.sql.query("update stations set retired_at = now() where id = $1", [namesake.known.id]);
  expect(await unit.sign(unit.csr())).toEqual({ status: "Accepted" });
});

test("[1.8-csr] a request that does not fit the file any more when it is issued is refused", async () => {
  const unit = await station();
  await unit.sign(unit.csr());
  await world.sql.query("update stations set serial_number = 'SN-corrected' where id = $1", [unit.known.id]);
  await work();
  expect((await unit.get("certificates")).certificates).toEqual([]);
  expect((await unit.get("certificate-requests")).certificate_requests).toMatchObject([
    { status: "failed", reason: expect.stringContaining("CN is not the serial number") },
  ]);
});

test("[D8] a station's request, certificate and answer change nothing of another organisation's station", async () => {
  const [mine, theirs] = [await station(), await station()];
  expect(await theirs.sign(mine.csr())).toMatchObject({ status: "Rejected" });
  await mine.sign(mine.csr());
  await work();
  const [command] = await mine.commands();
  const [{ fingerprint, certificate_id: id }] = (await mine.get("certificates")).certificates;
  await inTransaction(pool, (sql) =>
    recordCertificateUses(sql, [{ stationId: theirs.known.id, fingerprint, at: new Date() }]),
  );
  expect((await mine.get("certificates")).certificates).toMatchObject([{ status: "issued", first_used_at: null }]);
  expect(command).toBeDefined();
  for (const path of ["certificates", "certificate-requests", "installed-certificates"])
    expect((await world.ask("GET", `/api/v1/charge-points/${mine.id}/${path}`, { as: theirs.key })).status).toBe(404);
  const crossed = `/api/v1/charge-points/${theirs.id}/certificates/${id}/revoke`;
  expect((await world.ask("POST", crossed, { as: theirs.key, body: {} })).status).toBe(404);
});

test("[1.8-renewal] an accepted request that Postgres lost comes back from the lane, and is issued", async () => {
  const unit = await station();
  const payload = { csr: unit.csr() };
  const request = signingRequestIn({ station: unit.known, version: "2.0.1", epoch: 7, seq: 3, payload });
  for (let i = 0; i < 2; i++) await inTransaction(pool, (sql) => restoreRequests(sql, [request]));
  await work();
  expect((await unit.get("certificates")).certificates).toHaveLength(1);
  for (let i = 0; i < 2; i++) await inTransaction(pool, (sql) => restoreRequests(sql, [request]));
  await work();
  expect((await unit.get("certificates")).certificates).toHaveLength(1);
});
