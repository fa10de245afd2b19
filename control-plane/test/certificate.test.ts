import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifySignature } from "../handover/verify-signature.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { HANDOVER, handoverSteps, poppler } from "./handover-steps.ts";

let world: ApiWorld;
let steps: ReturnType<typeof handoverSteps>;

beforeAll(async () => {
  world = await startApiWorld();
  steps = handoverSteps(world);
});
afterAll(() => world.close());

test("a changed byte, wherever it is, and an added one make the signature invalid", async () => {
  const pdf = await steps.pdfOf((await steps.handedOver()).answer);
  const afterSignature = pdf.lastIndexOf("/Reason") + 12;
  const contentsEnd = pdf.indexOf(">", pdf.indexOf("/Contents <", pdf.indexOf("/ByteRange")));
  const positions = [12, 3_000, Math.floor(pdf.length / 3), afterSignature, pdf.length - 3];
  // In the signature's value. (What wraps it, such as version numbers, is signed by nobody: CMS is like that.)
  for (const back of [1, 100, 300]) positions.push(contentsEnd - back);
  for (const position of positions) {
    const changed = Buffer.from(pdf);
    changed.writeUInt8(changed.readUInt8(position) ^ 1, position);
    expect([position, (await verifySignature(changed)).ok]).toEqual([position, false]);
  }
  expect(await verifySignature(Buffer.concat([pdf, Buffer.from("\n% more")]))).toEqual({
    ok: false,
    error: "the signature does not cover the whole file",
  });

  const changed = Buffer.from(pdf);
  changed.writeUInt8(changed.readUInt8(3_000) ^ 1, 3_000);
  const seen = poppler("pdfsig", changed);
  if (seen !== undefined) expect(seen).toContain("Digest Mismatch");
});

test("the certificate says who, where, what and when, in every script", async () => {
  const built = await steps.site({
    name: "Riverside Business Park — Phase 1 · 東京",
    site_owner: { name: "Ελένη Παπαδοπούλου", email: "owner@example.org" },
    charge_points_expected: 3,
  });
  const chargePointId = await steps.register(built, "SN-ABX-20240501-007");
  await steps.commission(built, chargePointId);
  const { body } = await steps.handOver(built, {
    ...HANDOVER,
    signed_by: "Олександр Шевченко",
    site_contact_name: "محمد علي",
    handover_notes: "שלום עולם\nनमस्ते सरकार\nสวัสดี\n张伟, 田中さくら, 김철수\nNguyễn Thị Hương — done.",
  });
  expect(body.warnings).toEqual(["3 charge points were expected in this project, 1 was registered and commissioned."]);
  const text = poppler("pdftotext", await steps.pdfOf(body), "-layout");
  if (text === undefined) return;
  // Where a line runs from right to left, pdftotext says so with marks of direction.
  const plain = text.replace(/[\u200e\u200f\u202a-\u202e]/g, "").normalize("NFC");
  for (const part of [
    "Riverside Business Park — Phase 1 · 東京",
    "Ελένη Παπαδοπούλου",
    "Олександр Шевченко",
    "محمد علي",
    "שלום עולם",
    "नमस्ते सरकार",
    "สวัสดี",
    "张伟, 田中さくら, 김철수",
    "Nguyễn Thị Hương — done.",
    "SN-ABX-20240501-007",
    "Alpitronic HYC300",
    chargePointId,
    "Bay 4, Level P1",
    "51.5074, -0.1278",
    "300 kW",
    "3.4.1",
    "OCPP connection (ocpp_connection)",
    "Meter calibration (meter_calibration)",
    "skipped",
    built.projectId,
    "Alex Technician, Acme EV Installations",
    body.handed_over_at.replace("T", " ").replace("Z", " UTC"),
    "3 charge points were expected in this project, 1 was registered and commissioned.",
  ])
    expect(plain).toContain(part);
  expect(text).not.toContain("s.owen@riversidebp.co.uk");
});

test("no page ends within a unit, and one that is longer than a page says on each whose it is", async () => {
  const built = await steps.site({ charge_points_expected: 7 });
  const serials = Array.from({ length: 7 }, (_, index) => `SN-${index + 1}-${built.projectId}`);
  for (const serial of serials) await steps.commission(built, await steps.register(built, serial));
  const notes = Array.from({ length: 120 }, (_, index) => `line ${index + 1}`).join("\n");
  await world.sql.query(
    "update commissionings set notes = $2 where station_id = (select id from stations where serial_number = $1)",
    [serials[4], notes],
  );
  const { body } = await steps.handOver(built);
  const text = poppler("pdftotext", await steps.pdfOf(body), "-layout");
  if (text === undefined) return;
  const pages = text.split("\f").filter((page) => page.trim() !== "");
  for (const [index, serial] of serials.entries()) {
    const heading = `${index + 1}. Alpitronic HYC300`;
    const its = pages.filter((page) => page.includes(heading));
    expect([heading, its.length]).toEqual([heading, index === 4 ? 3 : 1]);
    const after = (its[0] as string).split(heading)[1] as string;
    expect(after).toContain(serial);
    const table = (its.at(-1) as string).split(heading)[1] as string;
    for (const part of ["Result", "(ocpp_connection)", "(heartbeat)", "(meter_calibration)", "(firmware_version)"])
      expect(table.split(/\n\d+\. /)[0]).toContain(part);
  }
  expect(pages.filter((page) => page.includes("5. Alpitronic HYC300 (continued)"))).toHaveLength(2);
  expect(text).toContain(`\n${world.config.publicApiUrl}/certificates/${built.projectId}/verify\n`);
});

test("[E14] texts that look like PDF neither break the certificate nor its signature", async () => {
  const evil = ") /AcroForm 1 0 R /Root 9 0 R >> endobj trailer <</Size 1>> startxref 0 %%EOF (";
  const { answer } = await steps.handedOver(
    { name: evil, site_address: evil },
    {
      ...HANDOVER,
      signed_by: evil,
      handover_notes: `${evil}\n<script>alert(1)</script> file:///etc/passwd \u202e`,
      site_contact_name: evil,
    },
  );
  const pdf = await steps.pdfOf(answer);
  expect(await verifySignature(pdf)).toMatchObject({ ok: true });
  const seen = poppler("pdfsig", pdf);
  if (seen !== undefined) expect(seen).toContain("Signature is Valid");
});

test("the certificate opens for its installer, its operator and the holder of the link, and for nobody else", async () => {
  const done = await steps.handedOver();
  const path = `/certificates/${done.projectId}.pdf`;
  const [stranger, otherOrg, narrow] = [
    await world.installer(),
    await world.organization(),
    await world.organization(["read:sessions"]),
  ];
  const status = async (target: string, as?: string) => (await world.ask("GET", target, { as })).status;
  expect(await status(path, done.token)).toBe(200);
  expect(await status(path, done.key)).toBe(200);
  expect(await status(`/api/v1/projects/${done.projectId}/certificate`, done.key)).toBe(200);
  expect(await status(path)).toBe(401);
  expect(await status(path, "dyn_wrong")).toBe(401);
  expect(await status(`${path}?token=${"a".repeat(43)}`)).toBe(401);
  expect(await status(`/certificates/proj_000000000000.pdf?token=${"a".repeat(43)}`)).toBe(401);
  expect(await status(path, stranger.token)).toBe(404);
  expect(await status(path, otherOrg.key)).toBe(404);
  expect(await status(path, narrow.key)).toBe(403);
  expect(await status(`/api/v1/projects/${done.projectId}/certificate`, otherOrg.key)).toBe(404);
  const unfinished = await steps.site();
  expect(await status(`/certificates/${unfinished.projectId}.pdf`, unfinished.token)).toBe(404);
});

test("a known certificate is not sent again", async () => {
  const { answer } = await steps.handedOver();
  const url = answer.handover_certificate_url;
  const etag = (await steps.download(url)).headers.get("etag") ?? "";
  const again = await steps.download(url, { "if-none-match": etag });
  expect([again.status, (await again.arrayBuffer()).byteLength]).toEqual([304, 0]);
  expect((await steps.download(url, { "if-none-match": '"other"' })).status).toBe(200);
});

test("a replaced link works, the one before does not", async () => {
  const done = await steps.handedOver();
  const { status, body } = await world.ask("POST", `/api/v1/projects/${done.projectId}/certificate/replace-link`, {
    as: done.key,
  });
  expect(status).toBe(200);
  expect((await steps.download(done.answer.handover_certificate_url)).status).toBe(401);
  expect((await steps.download(body.handover_certificate_url)).status).toBe(200);
  const link = `/api/v1/projects/${done.projectId}/certificate/link`;
  expect((await world.ask("GET", link, { as: done.key })).body).toEqual(body);
  const otherOrg = await world.organization();
  expect((await world.ask("GET", link, { as: otherOrg.key })).status).toBe(404);
  expect(
    (await world.ask("POST", `/api/v1/projects/${done.projectId}/certificate/replace-link`, { as: otherOrg.key }))
      .status,
  ).toBe(404);
});

test("the verification page vouches for the certificate on file and names nobody; changed on file it says so", async () => {
  const done = await steps.handedOver();
  const path = `/certificates/${done.projectId}/verify`;
  const sha256 = createHash("sha256")
    .update(await steps.pdfOf(done.answer))
    .digest("hex");
  const { body } = await world.ask("GET", path, { headers: { accept: "application/json" } });
  expect(body).toEqual({
    project_id: done.projectId,
    valid: true,
    sha256,
    signer: expect.any(String),
    signer_certificate_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    signed_at: done.answer.handed_over_at,
    project_status: "handed_over",
    reopened_at: null,
  });
  const page = await world.ask("GET", path, { headers: { accept: "text/html,application/xhtml+xml" } });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.body).toContain("This certificate is valid");
  expect(page.body).toContain(sha256);
  expect(page.body).not.toMatch(/Sarah|Alex/);

  await world.sql.query(
    "update certificates set pdf = overlay(pdf placing '\\x00'::bytea from 3000) where project_id = $1",
    [done.projectId],
  );
  expect((await world.ask("GET", path)).body).toMatchObject({ valid: false, signer: null });
  expect((await world.ask("GET", "/certificates/proj_000000000000/verify")).status).toBe(404);
});

test("after a reopening the certificate is genuine and not current; the next handover replaces it", async () => {
  const done = await steps.handedOver();
  const former = await steps.pdfOf(done.answer);
  const verify = `/certificates/${done.projectId}/verify`;
  const page = async () => (await world.ask("GET", verify, { headers: { accept: "text/html" } })).body as string;
  await world.ask("POST", `/api/v1/projects/${done.projectId}/reopen`, {
    as: done.key,
    body: { reason: "Bay 3 was replaced after the handover." },
  });

  const { body: reopened } = await world.ask("GET", verify);
  expect(reopened).toMatchObject({
    valid: true,
    project_status: "in_progress",
    reopened_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
  const when = (reopened.reopened_at as string).replace("T", " ").replace("Z", " UTC");
  expect(await page()).toContain(`signed and unchanged, but the project was reopened on ${when}`);
  expect(await page()).not.toContain("This certificate is valid");
  expect(await page()).not.toContain("Bay 3");
  expect(await steps.pdfOf(done.answer)).toEqual(former);

  await steps.commission(done, await steps.register(done, "SN-REPLACEMENT"));
  const { status, body: answer } = await steps.handOver(done, { ...HANDOVER, handover_notes: "Bay 3 again." });
  expect(status).toBe(200);
  const latter = await steps.pdfOf(answer);
  expect((await steps.download(done.answer.handover_certificate_url)).status).toBe(401);
  const { body: current } = await world.ask("GET", verify);
  expect(current).toMatchObject({
    valid: true,
    sha256: createHash("sha256").update(latter).digest("hex"),
    signed_at: answer.handed_over_at,
    project_status: "handed_over",
    reopened_at: null,
  });
  expect(current.sha256).not.toBe(reopened.sha256);
  expect(await page()).toContain("This certificate is valid");
  const text = poppler("pdftotext", latter);
  if (text !== undefined) expect(text).toContain("SN-REPLACEMENT");
});

test("a certificate of two hundred units is made, and still signed as a whole", async () => {
  const built = await steps.site({ charge_points_expected: 200 });
  const first = await steps.register(built);
  await steps.commission(built, first);
  await world.sql.query(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, serial_number, vendor, model, ocpp_version, connector_count)
     select 'cp_many' || n, 'cp_many' || n, 'cp_many' || n, $1, $2, 'SN-' || n, 'Vendor', 'Model', '1.6', 1 from generate_series(1, 199) n`,
    [built.orgId, built.projectId],
  );
  await world.sql.query(
    `insert into commissionings (id, station_id, project_id, installer_id, status, run_connectivity_test, run_meter_calibration)
     select 'comm_many' || id, id, $1, $2, 'completed', true, true from stations where project_id = $1 and charge_point_id like 'cp_many%'`,
    [built.projectId, built.installerId],
  );
  const { status, body } = await steps.handOver(built);
  expect(status).toBe(200);
  expect(await verifySignature(await steps.pdfOf(body))).toMatchObject({ ok: true });
});
