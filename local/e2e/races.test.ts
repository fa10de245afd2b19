import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { assignInstaller, createProject, linkTo, mailsTo, readyInstaller } from "./installer-journey.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { LedgerStation } from "./ledger-station.ts";
import { connectRaw } from "./raw-station.ts";
import { rest, type RestAnswer } from "./rest-client.ts";
import { bootPayload, obeyTrigger, plainAnswer } from "./station-answers.ts";

/** What must survive every text field, and what must never leave it: other scripts, markup, a header disguised as a word. */
const NASTY = "شركة 🔌 — <b>x</b> 例え =?utf-8?q?=0d=0aBcc:evil@mail.example?=";
const ACCOUNT = { password: "your-secure-password", full_name: NASTY, phone: "+447700900123", company: NASTY };

let cluster: Cluster;
let evidence: Evidence;
let token: string;
let installerId: string;

beforeAll(async () => {
  cluster = await startCluster({ RATE_LIMIT_MAIL_ACCOUNT: "100/60" });
  evidence = openEvidence(cluster);
  ({ token } = await readyInstaller(cluster, "racer@installers.example"));
  installerId = String((await ask("GET", "/api/v1/installer/me", token)).body["installer_id"]);
});
afterAll(async () => {
  await evidence?.close();
  await cluster?.close();
});

const ask = (method: "GET" | "POST", path: string, as?: string, body?: unknown, headers?: Record<string, string>) =>
  rest(method, cluster.apiUrl + path, as, body, headers);
const times = <T>(count: number, run: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => run(index)));
/** Status, and the code of a problem → how often. */
const tally = (answers: RestAnswer[]) => {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const what = [status, body["code"]].filter((part) => part !== undefined).join(" ");
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
};
const unit = (projectId: string, serial: string) => ({
  project_id: projectId,
  serial_number: serial,
  model: "HYC300",
  vendor: "Alpitronic",
  ocpp_version: "1.6",
  connector_count: 1,
});
async function newProject(name = "Race", more: Record<string, unknown> = {}): Promise<string> {
  const projectId = await createProject(cluster, { name, site_address: name, charge_points_expected: 1, ...more });
  await assignInstaller(cluster, projectId, installerId);
  return projectId;
}

test("sign-ups with one address at the same moment make one account, and tell nobody which was first", async () => {
  const email = "same@installers.example";
  const answers = await times(8, (index) =>
    ask("POST", "/api/v1/installer/signup", undefined, {
      ...ACCOUNT,
      email: index % 2 === 0 ? email : email.toUpperCase(),
    }),
  );
  expect(tally(answers)).toEqual({ "201": 8 });
  expect(new Set(answers.map(({ body }) => body["installer_id"])).size).toBe(8);
  const opened = await fetch(await linkTo(cluster, email, "verify-email"));
  expect(opened.status).toBe(200);
  expect(await evidence.sql("select status from installers where email_key = $1", [email])).toEqual([
    { status: "active" },
  ]);
});

test("a reset link works once, however many use it at once, ends every token, and is no verification link", async () => {
  const email = "forgetful@installers.example";
  const { token: before } = await readyInstaller(cluster, email);
  const verification = new URL(await linkTo(cluster, email, "verify-email")).searchParams.get("token");
  await ask("POST", "/api/v1/installer/forgot-password", undefined, { email: email.toUpperCase() });
  const link = new URL(await linkTo(cluster, email, "reset-password")).searchParams.get("token");
  expect((await ask("POST", "/api/v1/installer/verify-email", undefined, { token: link })).body["code"]).toBe(
    "token_used",
  );
  expect(
    (
      await ask("POST", "/api/v1/installer/reset-password", undefined, {
        token: verification,
        password: "another-good-one",
      })
    ).body["code"],
  ).toBe("token_used");
  const answers = await times(5, (index) =>
    ask("POST", "/api/v1/installer/reset-password", undefined, { token: link, password: `another-good-one-${index}` }),
  );
  expect(tally(answers)).toEqual({ "200": 1, "410 token_used": 4 });
  expect((await ask("GET", "/api/v1/installer/me", before)).body["code"]).toBe("session_ended");
  const winner = answers.findIndex(({ status }) => status === 200);
  expect(
    (await ask("POST", "/api/v1/installer/login", undefined, { email, password: `another-good-one-${winner}` })).status,
  ).toBe(200);
});

test("one serial number registered many times at once is one unit; with one key it is one answer", async () => {
  const projectId = await newProject();
  const race = await times(8, () => ask("POST", "/api/v1/installer/charge-points", token, unit(projectId, "S1")));
  expect(tally(race)).toEqual({ "201": 1, "409 duplicate_serial_number": 7 });
  expect(new Set(race.map(({ body }) => body["charge_point_id"])).size).toBe(1);

  const key = { "idempotency-key": "one-key" };
  const keyed = await times(8, () => ask("POST", "/api/v1/installer/charge-points", token, unit(projectId, "S2"), key));
  expect(Object.keys(tally(keyed)).filter((what) => !["201", "409 idempotency_running"].includes(what))).toEqual([]);
  expect(
    new Set(keyed.filter(({ status }) => status === 201).map(({ body }) => body["provisioning_password"])).size,
  ).toBe(1);
  expect((await ask("POST", "/api/v1/installer/charge-points", token, unit(projectId, "S3"), key)).body["code"]).toBe(
    "idempotency_mismatch",
  );
  expect(await evidence.sql("select count(*)::int as n from stations where project_id = $1", [projectId])).toEqual([
    { n: 2 },
  ]);
});

test("start, rotate and hand over at the same moment: one of each counts, and after the handover nothing does", async () => {
  const projectId = await newProject(NASTY, { site_owner: { name: NASTY, email: "owner@site.example" } });
  const registered = (await ask("POST", "/api/v1/installer/charge-points", token, unit(projectId, "S1"))).body;
  const identity = String(registered["charge_point_id"]);
  const station: LedgerStation = new LedgerStation({
    origins: cluster.ocppUrls,
    identity,
    password: String(registered["provisioning_password"]),
    version: "1.6",
    answer: (action, payload) => {
      if (action === "TriggerMessage") setTimeout(() => obeyTrigger(station, "1.6", payload, 4_711), 20);
      return plainAnswer(action);
    },
  });
  station.connect(0);
  await station.call("BootNotification", bootPayload("1.6"));
  await station.call("Heartbeat");

  const start = `/api/v1/installer/commissioning/${identity}/start`;
  const handover = `/api/v1/installer/projects/${projectId}/complete-handover`;
  const signature = {
    signed_by: NASTY,
    handover_notes: `${NASTY}\n%PDF-1.7 endobj`,
    site_contact_name: NASTY,
    site_contact_email: "contact@site.example",
  };
  const [starts, tooEarly] = await Promise.all([
    times(6, () => ask("POST", start, token, { notes: NASTY })),
    times(3, () => ask("POST", handover, token, signature)),
  ]);
  expect(tally(starts)).toEqual({ "202": 1, "200": 5 });
  expect(new Set(starts.map(({ body }) => body["commissioning_id"])).size).toBe(1);
  expect(tally(tooEarly)).toEqual({ "409 handover_blocked": 3 });
  await eventually(
    "commissioned",
    async () => (await ask("GET", `/api/v1/installer/commissioning/${identity}`, token)).body["status"] === "completed",
  );

  const rotated = await times(4, () =>
    ask("POST", `/api/v1/installer/charge-points/${identity}/rotate-password`, token),
  );
  expect(tally(rotated)).toEqual({ "200": 4 });
  await eventually("whoever had the old password is disconnected", () => station.closes.includes(1008));
  station.stop();
  const passwords = [registered, ...rotated.map(({ body }) => body)].map((body) =>
    String(body["provisioning_password"]),
  );
  const entered = await Promise.allSettled(
    passwords.map((password) => connectRaw(cluster.ocppUrls[1], { identity, password }, "1.6")),
  );
  expect(entered.map(({ status }) => status).filter((status) => status === "fulfilled")).toHaveLength(1);
  for (const one of entered) if (one.status === "fulfilled") one.value.socket.terminate();

  const handovers = await times(5, () => ask("POST", handover, token, signature));
  expect(tally(handovers)).toEqual({ "200": 1, "409 project_handed_over": 4 });
  const late = [
    await ask("POST", "/api/v1/installer/charge-points", token, unit(projectId, "S2")),
    await ask("POST", start, token, {}),
    await ask("POST", `/api/v1/installer/charge-points/${identity}/rotate-password`, token),
  ];
  expect(tally(late)).toEqual({ "409 project_handed_over": 3 });

  for (const address of ["owner@site.example", "contact@site.example", "operations@cpo.example"]) {
    const mails = await eventually(`the certificate in the mailbox of ${address}`, async () => {
      const found = (await mailsTo(cluster, address)).filter(({ attachments }) => attachments.length > 0);
      return found.length > 0 ? found : undefined;
    });
    expect(mails).toHaveLength(1);
    expect(mails[0]?.html).not.toContain("<b>x</b>");
    expect(mails[0]?.subject).toMatch(/^Handover completed: شركة 🔌 — <b>x<\/b> 例え [^\r\n]*$/u);
  }
  expect(await mailsTo(cluster, "evil@mail.example")).toEqual([]);
});
