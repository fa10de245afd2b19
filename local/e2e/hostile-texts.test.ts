import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type ProgramName } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { assignInstaller, createProject, mailsTo, readyInstaller } from "./installer-journey.ts";
import { LedgerStation } from "./ledger-station.ts";
import { rest } from "./rest-client.ts";
import { obeyTrigger, plainAnswer } from "./station-answers.ts";

const PROGRAMS: ProgramName[] = ["gateway1", "gateway2", "api", "decisions", "intake", "jobs"];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.close());

/** What a text must not do in a log line, a table, a document or a mail; short enough for OCPP's fields. */
const NASTY = {
  chargePointVendor: "=HYPERLINK(1)\r\nX: y",
  chargePointModel: "\u001b[31m<script>x",
  firmwareVersion: '${jndi:ldap://127.0.0.1/a}\r\n{"level":60}<b>',
};

test("[D11] [E14] line ends, escapes, lookups, markup and formulas of a station stay text in logs, answers, the certificate and its mail", async () => {
  const { token } = await readyInstaller(cluster, "careful@installers.example");
  const { body: me } = await rest("GET", `${cluster.apiUrl}/api/v1/installer/me`, token);
  const apiKey = cluster.apiKey;
  const projectId = await createProject(cluster, {
    name: "Nasty",
    site_address: "Nasty",
    charge_points_expected: 1,
    site_owner: { name: "Owner", email: "owner@nasty.example" },
  });
  await assignInstaller(cluster, projectId, String(me["installer_id"]));
  const { body: unit } = await rest("POST", `${cluster.apiUrl}/api/v1/installer/charge-points`, token, {
    project_id: projectId,
    serial_number: "S-NASTY",
    model: "M",
    vendor: "V",
    ocpp_version: "1.6",
    connector_count: 1,
  });
  const identity = String(unit["charge_point_id"]);
  const station: LedgerStation = new LedgerStation({
    origins: cluster.ocppUrls,
    identity,
    password: String(unit["provisioning_password"]),
    version: "1.6",
    answer: (action, payload) => {
      if (action !== "TriggerMessage") return plainAnswer(action);
      // The unit of this test boots with its own words.
      if (payload["requestedMessage"] === "BootNotification") void station.call("BootNotification", NASTY);
      else setTimeout(() => obeyTrigger(station, "1.6", payload, 4_711), 20);
      return { status: "Accepted" };
    },
  });
  station.connect(0);
  expect((await station.call("BootNotification", NASTY)).answer).toMatchObject({ status: "Accepted" });
  await station.call("StatusNotification", {
    connectorId: 1,
    errorCode: "OtherError",
    status: "Available",
    info: NASTY.firmwareVersion,
    vendorId: NASTY.chargePointVendor,
    vendorErrorCode: NASTY.chargePointModel,
  });
  await station.call("Authorize", { idTag: NASTY.chargePointVendor });
  await station.call(NASTY.chargePointModel, { [NASTY.firmwareVersion]: 1 });
  await station.call("Heartbeat");
  const url = `${cluster.apiUrl}/api/v1/installer`;
  await eventually(
    "the heartbeat is known",
    async () => (await rest("GET", `${url}/charge-points/${identity}`, token)).body["last_heartbeat_at"],
  );
  const shown = await rest("GET", `${cluster.apiUrl}/api/v1/charge-points/${identity}`, apiKey);
  expect(JSON.stringify(shown.body)).toContain(JSON.stringify(NASTY.firmwareVersion).slice(1, -1));
  await rest("POST", `${url}/commissioning/${identity}/start`, token, {});
  await eventually("commissioned", async () => {
    const { body } = await rest("GET", `${url}/commissioning/${identity}`, token);
    if (body["status"] === "failed") throw new Error(JSON.stringify(body));
    return body["status"] === "completed";
  });
  const { status, body: handover } = await rest("POST", `${url}/projects/${projectId}/complete-handover`, token, {
    signed_by: "Alex",
    handover_notes: "none",
    site_contact_name: "Contact",
    site_contact_email: "contact@nasty.example",
  });
  expect(status).toBe(200);
  station.stop();

  const pdf = Buffer.from(await (await fetch(String(handover["handover_certificate_url"]))).arrayBuffer());
  expect(pdf.includes("/JavaScript") || pdf.includes("/JS ") || pdf.includes("/Launch")).toBe(false);
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-nasty-"));
  try {
    writeFileSync(join(folder, "c.pdf"), pdf);
    const { stdout, error } = spawnSync("pdftotext", [join(folder, "c.pdf"), "-"], { encoding: "utf8" });
    if (error) console.warn("SKIPPED: pdftotext is not installed (Debian: poppler-utils), so the PDF was not read");
    else {
      expect(stdout.replaceAll(/\s/g, "")).toContain("${jndi:ldap://127.0.0.1/a}");
      expect(stdout).not.toContain("\u001b");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const mails = await eventually("the certificate's mail", async () => {
    const found = (await mailsTo(cluster, "owner@nasty.example")).filter(({ attachments }) => attachments.length > 0);
    return found.length > 0 ? found : undefined;
  });
  for (const { subject, html } of mails)
    for (const harm of ["<script>", "<b>", "\u001b"]) expect(`${subject}${html}`).not.toContain(harm);

  for (const program of PROGRAMS) {
    const lines = cluster
      .log(program)
      .split("\n")
      .filter((line) => line !== "");
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      // Words of the WebSocket library about itself, before the first connection (gateway/sockets/upgrade.ts).
      if (line.startsWith("Warning: uWS.HttpResponse writes")) continue;
      // All else is one JSON object per line, without a character that a terminal obeys; the forged line is none.
      expect((JSON.parse(line) as { level: unknown }).level, line).toBeDefined();
      expect(line).not.toContain("\u001b");
      expect(line.startsWith('{"level":60}')).toBe(false);
    }
  }
});
