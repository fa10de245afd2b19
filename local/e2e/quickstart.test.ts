import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { assignInstaller, createProject, linkTo, mailsTo } from "./installer-journey.ts";
import { LedgerStation } from "./ledger-station.ts";
import { AnswerComparison, readQuickstart, requestOf } from "./quickstart-document.ts";
import { rest } from "./rest-client.ts";
import { bootPayload, obeyTrigger, plainAnswer } from "./station-answers.ts";

const steps = readQuickstart(readFileSync(join(FOLDERS.root, "docs/quickstart-installer.md"), "utf8"));
const PROJECT = {
  name: "Riverside Business Park — Phase 1",
  site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
  charge_points_expected: 6,
  site_owner: { name: "Riverside BP", email: "owner@riversidebp.co.uk" },
};

let cluster: Cluster;
let station: LedgerStation | undefined;

beforeAll(async () => {
  // The document's origin for stations carries no port; everything else is as an installer meets it.
  cluster = await startCluster();
});
afterAll(async () => {
  station?.stop();
  await cluster?.close();
});

test("every command of the quickstart, in order, gives the answer that is printed", async () => {
  const comparison = new AnswerComparison(
    new Map([
      ["https://api.dynamo-csms.com", cluster.apiUrl],
      ["wss://ocpp.dynamo-csms.com", cluster.ocppUrls[0]],
    ]),
  );
  let token = "";
  const run = (index: number): Record<string, unknown> => {
    const { curl, answer } = steps[index] as (typeof steps)[number];
    const command = comparison.toReal(curl).replace(/^curl /, "curl -sS ");
    const output = execFileSync("bash", ["-c", command], { encoding: "utf8", env: { ...process.env, TOKEN: token } });
    const real = JSON.parse(output) as Record<string, unknown>;
    expect(comparison.differences(answer, real), `step ${index + 1} answered ${output}`).toEqual([]);
    return real;
  };

  expect(steps).toHaveLength(6);
  const signup = run(0);
  const early = await rest(
    "POST",
    `${cluster.apiUrl}/api/v1/installer/login`,
    undefined,
    requestOf(steps[1]?.curl ?? "").body,
  );
  expect(early).toMatchObject({ status: 403, body: { code: "email_not_verified" } });
  const link = await linkTo(cluster, "alex@acme-ev-installs.com", "verify-email");
  await rest("POST", `${cluster.apiUrl}/api/v1/installer/verify-email`, undefined, {
    token: new URL(link).searchParams.get("token"),
  });
  token = String(run(1)["access_token"]);

  const projectId = await createProject(cluster, PROJECT);
  await assignInstaller(cluster, projectId, String(signup["installer_id"]));
  run(2);
  const unit = run(3);

  const identity = String(unit["charge_point_id"]);
  station = new LedgerStation({
    origins: cluster.ocppUrls,
    identity,
    password: String(unit["provisioning_password"]),
    version: "2.0.1",
    answer: (action, payload) => {
      if (action === "TriggerMessage") setTimeout(() => station && obeyTrigger(station, "2.0.1", payload, 12_345), 20);
      return plainAnswer(action);
    },
  });
  station.connect();
  expect(await station.call("BootNotification", bootPayload("2.0.1"))).toMatchObject({
    answer: { status: "Accepted" },
  });
  await station.call("StatusNotification", {
    timestamp: new Date().toISOString(),
    connectorStatus: "Available",
    evseId: 1,
    connectorId: 1,
  });
  await station.call("Heartbeat");
  const unitUrl = `${cluster.apiUrl}/api/v1/installer/charge-points/${identity}`;
  await eventually(
    "the platform has seen the heartbeat",
    async () => (await rest("GET", unitUrl, token)).body["last_heartbeat_at"],
  );

  run(4);
  const commissioning = await eventually("the commissioning ends", async () => {
    const { body } = await rest("GET", `${cluster.apiUrl}/api/v1/installer/commissioning/${identity}`, token);
    return body["status"] === "in_progress" ? undefined : body;
  });
  expect(commissioning).toMatchObject({ status: "completed", checks: [1, 2, 3, 4].map(() => ({ status: "passed" })) });

  const handover = run(5);
  await checkCertificate(String(handover["handover_certificate_url"]));
  await checkMails(["operations@cpo.example", "owner@riversidebp.co.uk", "s.owen@riversidebp.co.uk"]);
  const late = await rest("POST", `${cluster.apiUrl}/api/v1/installer/commissioning/${identity}/start`, token, {});
  expect(late).toMatchObject({ status: 409, body: { code: "project_handed_over" } });
});

async function checkCertificate(url: string): Promise<void> {
  const pdf = Buffer.from(await (await fetch(url)).arrayBuffer());
  expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
  expect((await fetch(url.split("?")[0] as string)).status).toBe(401);
  if (spawnSync("pdfsig", ["-v"]).error) {
    console.warn(
      "SKIPPED: pdfsig is not installed (Debian: poppler-utils), so the certificate's signature was not judged by it",
    );
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-pdf-"));
  try {
    const judged = (name: string, bytes: Buffer) => {
      const file = join(folder, name);
      writeFileSync(file, bytes);
      return spawnSync("pdfsig", ["-nocert", file], { encoding: "utf8" }).stdout;
    };
    expect(judged("as-it-is.pdf", pdf)).toContain("Signature is Valid");
    const text = spawnSync("pdftotext", [join(folder, "as-it-is.pdf"), "-"], { encoding: "utf8" }).stdout;
    for (const part of [PROJECT.name, "SN-ABX-20240501-007", "Sarah Owen", "3.4.1"]) expect(text).toContain(part);
    const changed = Buffer.from(pdf);
    changed[200] = (changed[200] as number) ^ 1;
    expect(judged("changed.pdf", changed)).not.toContain("Signature is Valid");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function checkMails(addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const mails = await eventually(`${address} has the certificate`, async () => {
      const withPdf = (await mailsTo(cluster, address)).filter((mail) =>
        mail.attachments.some((file) => file.content_type === "application/pdf"),
      );
      return withPdf.length > 0 ? withPdf : undefined;
    });
    expect(mails).toHaveLength(1);
    expect(mails[0]?.text).toContain("?token=");
  }
}

test("the project's quickstart and the seed's agree in paths, fields and values", () => {
  const seed = join(FOLDERS.root, "../shared/seed/installer-quickstart.md");
  if (!existsSync(seed)) {
    console.warn("SKIPPED: the seed's quickstart is not at hand, so the document was not compared with it");
    return;
  }
  const seedSteps = readQuickstart(readFileSync(seed, "utf8"));
  const comparable = (all: typeof steps) => all.map(({ curl, answer }) => ({ request: requestOf(curl), answer }));
  expect(comparable(steps)).toEqual(comparable(seedSteps));
});
