import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPool } from "../database.ts";
import { verifySignature } from "../handover/verify-signature.ts";
import { createMailMetrics } from "../mail/mail-metrics.ts";
import { createMailWork } from "../mail/send-mail.ts";
import { openSmtp } from "../mail/smtp-transport.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { HANDOVER, handoverSteps, poppler } from "./handover-steps.ts";
import { startSmtpSink } from "./smtp-sink.ts";
import { runDue } from "./webhook-world.ts";

let world: ApiWorld;
let steps: ReturnType<typeof handoverSteps>;

beforeAll(async () => {
  world = await startApiWorld();
  steps = handoverSteps(world);
});
afterAll(() => world.close());

test("the answer has the fields of the quickstart, and its URL leads to a PDF with a valid signature", async () => {
  const { projectId, answer } = await steps.handedOver();
  expect(answer).toEqual({
    project_id: projectId,
    status: "handed_over",
    handover_certificate_url: expect.stringMatching(
      new RegExp(`^https://api\\.dynamo-csms\\.com/certificates/${projectId}\\.pdf\\?token=[\\w-]{43}$`),
    ),
    handed_over_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
  const response = await steps.download(answer.handover_certificate_url);
  expect(response.headers.get("content-type")).toBe("application/pdf");
  expect(response.headers.get("content-disposition")).toBe(`inline; filename="handover-certificate-${projectId}.pdf"`);
  const pdf = Buffer.from(await response.arrayBuffer());
  expect(await verifySignature(pdf)).toMatchObject({ ok: true });

  const seen = poppler("pdfsig", pdf);
  if (seen !== undefined) {
    expect(seen).toContain("Signature Validation: Signature is Valid.");
    expect(seen).toContain("Total document signed");
    expect(seen).toContain("ETSI.CAdES.detached");
  }
});

test("units that are not commissioned are named with what fails, and nothing is handed over", async () => {
  const built = await steps.site({ charge_points_expected: 3 });
  const [done, failed, untouched] = [
    await steps.register(built),
    await steps.register(built),
    await steps.register(built, "SN-UNTOUCHED"),
  ];
  await steps.commission(built, done);
  await steps.commission(built, failed, "failed");
  const { status, body } = await steps.handOver(built);
  expect(status).toBe(409);
  expect(body).toMatchObject({ code: "handover_blocked", remedy: expect.any(String) });
  expect(body.charge_points).toEqual([
    {
      charge_point_id: failed,
      serial_number: expect.any(String),
      commissioning_status: "failed",
      failing_checks: [{ name: "heartbeat", status: "failed", cause: "no Heartbeat before the deadline" }],
    },
    {
      charge_point_id: untouched,
      serial_number: "SN-UNTOUCHED",
      commissioning_status: "not_started",
      failing_checks: [],
    },
  ]);
  expect(body.detail).toContain("SN-UNTOUCHED");
  expect(await world.sql.query("select status from projects where id = $1", [built.projectId])).toEqual([
    { status: "in_progress" },
  ]);
  expect(await world.sql.query("select 1 from certificates where project_id = $1", [built.projectId])).toEqual([]);
});

test("a project without charge points cannot be handed over", async () => {
  const { status, body } = await steps.handOver(await steps.site());
  expect([status, body.code, body.detail]).toEqual([409, "handover_blocked", "The project has no charge points."]);
});

test("[E5] a second handover is refused, and the project is closed to the installer", async () => {
  const done = await steps.handedOver();
  expect((await steps.handOver(done)).body.code).toBe("project_handed_over");
  const registration = await world.ask("POST", "/api/v1/installer/charge-points", {
    as: done.token,
    body: steps.unit(done.projectId, "SN-LATE"),
  });
  expect([registration.status, registration.body.code]).toEqual([409, "project_handed_over"]);
});

test("two handovers at once make one handover, one certificate, one event and each mail once", async () => {
  const built = await steps.site();
  await steps.commission(built, await steps.register(built));
  const answers = await Promise.all(Array.from({ length: 4 }, () => steps.handOver(built)));
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409]);
  expect(
    await world.sql.query(
      "select type, org_id from events where data->>'project_id' = $1 and type = 'handover.completed'",
      [built.projectId],
    ),
  ).toHaveLength(1);
  expect(
    await world.sql.query("select 1 from mails where data->>'project_id' = $1 and template = 'handover_completed'", [
      built.projectId,
    ]),
  ).toHaveLength(2);
});

test("[E5] a registration under way at the handover is either in the certificate or refused", async () => {
  const built = await steps.site();
  await steps.commission(built, await steps.register(built));
  const [handover, registration] = await Promise.all([
    steps.handOver(built),
    world.ask("POST", "/api/v1/installer/charge-points", {
      as: built.token,
      body: steps.unit(built.projectId, "SN-RACE"),
    }),
  ]);
  expect([
    [200, 409],
    [409, 201],
  ]).toContainEqual([handover.status, registration.status]);
});

test("other installers' projects are not found; unknown fields, line breaks in names and bad addresses are refused", async () => {
  const built = await steps.site();
  await steps.commission(built, await steps.register(built));
  const stranger = await world.installer();
  expect((await steps.handOver({ ...built, token: stranger.token })).body.code).toBe("project_not_found");
  for (const [change, pointer] of [
    [{ signed_by: "Alex\r\nBcc: victim@example.org" }, "/signed_by"],
    [{ site_contact_name: "Sarah\nOwen" }, "/site_contact_name"],
    [{ site_contact_email: "s.owen@riversidebp.co.uk\r\nBcc: victim@example.org" }, "/site_contact_email"],
    [{ site_contact_email: "s.owen@riversidebp.co.uk, victim@example.org" }, "/site_contact_email"],
    [{ site_contact_mail: "x" }, "/site_contact_mail"],
  ] as const) {
    const { status, body } = await steps.handOver(built, { ...HANDOVER, ...change });
    expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
  }
  expect(await world.sql.query("select 1 from handovers where project_id = $1", [built.projectId])).toEqual([]);
});

test("the mails reach operator, site owner and site contact once each, with the certificate attached", async () => {
  const sink = await startSmtpSink();
  const transport = openSmtp(sink.url);
  const pool = openPool(world.config.databaseUrl, 2, "test mail");
  const work = createMailWork({
    pool,
    secretsKey: world.config.secretsKey,
    transport,
    from: { name: "Dynamo CSMS", address: "no-reply@example.org" },
    log: pino({ level: "silent" }),
    metrics: createMailMetrics(new Registry()),
  });
  await runDue(work); // the sign-up mails and those of other tests
  sink.mails.length = 0;

  // The site owner's address is the operator's in another spelling.
  const { answer } = await steps.handedOver({ site_owner: { name: "Owner", email: "OPS@Example.org" } });
  await runDue(work);
  const mails = sink.mails.filter(
    (mail) => mail.parsed.subject === "Handover completed: Riverside Business Park — Phase 1",
  );
  expect(mails.flatMap((mail) => mail.recipients).sort()).toEqual(["ops@example.org", "s.owen@riversidebp.co.uk"]);
  const pdf = await steps.pdfOf(answer);
  for (const mail of mails) {
    expect(mail.parsed.text).toContain(answer.handover_certificate_url);
    const [attachment] = mail.parsed.attachments;
    expect(attachment).toMatchObject({
      mimeType: "application/pdf",
      filename: expect.stringMatching(/^handover-certificate-proj_\w+\.pdf$/),
    });
    expect(Buffer.from(attachment?.content as ArrayBuffer).equals(pdf)).toBe(true);
  }
  transport.close();
  await pool.end();
  await sink.close();
});

test("[E17] a repeated request with its Idempotency-Key gets the first answer, not the refusal", async () => {
  const built = await steps.site();
  await steps.commission(built, await steps.register(built));
  const ask = () =>
    world.ask("POST", `/api/v1/installer/projects/${built.projectId}/complete-handover`, {
      as: built.token,
      body: HANDOVER,
      headers: { "idempotency-key": "handover-1" },
    });
  const [first, second] = [await ask(), await ask()];
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(second.body).toEqual(first.body);
});
