// `npm run demo`: the installer's quickstart, played against the running local stack with two virtual charge points.
import { randomInt } from "node:crypto";
import { relative } from "node:path";
import { download, verify } from "./demo/certificate.ts";
import { insist, speakerFor, until, type Speaker } from "./demo/http.ts";
import { linkInMailTo, mailsWithAttachment } from "./demo/mails.ts";
import { commission, registerAndConnect } from "./demo/stations.ts";
import { createTranscript, type Transcript } from "./demo/transcript.ts";
import { readCredentials, type Credentials } from "./first-organisation.ts";
import type { VirtualChargePoint } from "./virtual-charge-point.ts";

const transcript = createTranscript(console.log, process.stdout.isTTY ?? false);
const stations: VirtualChargePoint[] = [];
let exitCode = 0;
try {
  const credentials = readCredentials();
  insist(
    credentials?.api_key,
    "nothing runs here yet: npm start first (in another terminal, or npm start -- --detach)",
  );
  const answers = await fetch(`${credentials.api_url}/openapi.json`).then(
    (response) => response.ok,
    () => false,
  );
  insist(answers, `nothing answers at ${credentials.api_url}: npm start first`);
  insist(credentials.mail_url, "mails go to SMTP_URL: the demo needs the mail sink, to follow the link in the mail");
  await play({ ...credentials, api_key: credentials.api_key, mail_url: credentials.mail_url }, transcript);
} catch (cause) {
  exitCode = 1;
  const reason =
    cause instanceof Error
      ? [cause.message, ...(cause.cause instanceof Error ? [cause.cause.message] : [])].join(": ")
      : String(cause);
  console.error(`\nThe demo failed: ${reason}`);
} finally {
  await Promise.all(stations.map((station) => station.close()));
}
process.exit(exitCode);

async function play(stack: Credentials & { api_key: string; mail_url: string }, print: Transcript): Promise<void> {
  // New people and serial numbers each time: the demo can be played again and again.
  const run = String(randomInt(1_000_000)).padStart(6, "0");
  const cpo = speakerFor(stack.api_url, print, "CPO", stack.api_key);
  const anyone = speakerFor(stack.api_url, print, "installer (not logged in)");
  const people = {
    installer: `alex+${run}@acme-ev-installs.com`,
    siteOwner: `estates+${run}@riversidebp.co.uk`,
    siteContact: `s.owen+${run}@riversidebp.co.uk`,
  };

  print.chapter("The CPO creates the project");
  const { project_id } = await cpo<{ project_id: string }>(
    "POST",
    "/api/v1/projects",
    { status: 201 },
    {
      name: "Riverside Business Park — Phase 1",
      site_address: "Unit 12, Riverside Business Park, London E1W 3SJ",
      charge_points_expected: 2,
      site_owner: { name: "Riverside Estates", email: people.siteOwner },
    },
  );

  print.chapter("The installer signs up, and follows the link in the mail");
  const account = { email: people.installer, password: "your-secure-password" };
  const { installer_id } = await anyone<{ installer_id: string }>(
    "POST",
    "/api/v1/installer/signup",
    { status: 201 },
    {
      ...account,
      full_name: "Alex Technician",
      phone: "+447700900123",
      company: "Acme EV Installations",
    },
  );
  await anyone("POST", "/api/v1/installer/login", { status: 403 }, account);
  const link = new URL(await linkInMailTo(stack.mail_url, people.installer, /verify/));
  await anyone("GET", `${link.pathname}${link.search}`, { status: 200 });

  print.chapter("Logs in, is assigned by the CPO, finds the project");
  const { access_token } = await anyone<{ access_token: string }>(
    "POST",
    "/api/v1/installer/login",
    { status: 200 },
    account,
  );
  const installer = speakerFor(stack.api_url, print, "installer", access_token);
  await cpo("POST", `/api/v1/projects/${project_id}/installers`, { status: 201 }, { installer_id });
  const { projects } = await installer<{ projects: { project_id: string }[] }>("GET", "/api/v1/installer/projects", {
    status: 200,
  });
  insist(
    projects.some((project) => project.project_id === project_id),
    "the project is not in the installer's list",
  );

  print.chapter("Registers two charge points, which connect: one to each gateway node");
  const [firstNode, secondNode = firstNode] = stack.ocpp_urls as [string, string?];
  stations.push(
    await registerAndConnect(
      {
        version: "2.0.1",
        serialNumber: `SN-ABX-${run}-007`,
        vendor: "Alpitronic",
        model: "Alpitronic HYC300",
        firmwareVersion: "3.4.1",
        connectors: 2,
        maxPowerKw: 300,
        bay: "Bay 4, Level P1",
      },
      project_id,
      firstNode,
      installer,
      print,
    ),
    await registerAndConnect(
      {
        version: "1.6",
        serialNumber: `SN-WBX-${run}-001`,
        vendor: "Wallbox",
        model: "Copper SB",
        firmwareVersion: "5.18.29",
        connectors: 1,
        maxPowerKw: 22,
        bay: "Bay 5, Level P1",
      },
      project_id,
      secondNode,
      installer,
      print,
    ),
  );

  print.chapter("Too early: the handover names what is in the way");
  const handover = {
    signed_by: "Alex Technician",
    handover_notes: "Both bays commissioned. Bay 4 connector 2 required firmware update — completed on site.",
    site_contact_name: "Sarah Owen",
    site_contact_email: people.siteContact,
  };
  await installer("POST", `/api/v1/installer/projects/${project_id}/complete-handover`, { status: 409 }, handover);

  for (const { unit } of stations) {
    print.chapter(`Commissions ${unit.chargePointId} (OCPP ${unit.version})`);
    const result = await commission(unit.chargePointId, installer);
    const open = result.checks.filter(({ status }) => status !== "passed");
    insist(
      result.status === "completed" && open.length === 0,
      `the commissioning ended as ${result.status}: ${JSON.stringify(open)}`,
    );
  }

  print.chapter("Hands the site over");
  const done = await installer<{ status: string; handover_certificate_url: string }>(
    "POST",
    `/api/v1/installer/projects/${project_id}/complete-handover`,
    { status: 200 },
    handover,
  );
  insist(done.status === "handed_over", `the project is ${done.status}`);
  await refusedFromNowOn(project_id, installer);

  print.chapter("The signed certificate");
  const file = await download(done.handover_certificate_url, project_id, print);
  await verify(file, print);
  print.note(`on disk: ${relative(process.cwd(), file)}`);

  print.chapter("The mails");
  const filename = new RegExp(project_id);
  const sent = await until("the certificate's mails to the CPO, the site owner and the site contact", async () => {
    const mails = await mailsWithAttachment(stack.mail_url, filename);
    return mails.length >= 3 ? mails : undefined;
  });
  const recipients = sent.flatMap(({ to }) => to);
  insist(
    new Set(recipients).size === recipients.length,
    `somebody was written to more than once: ${recipients.join(", ")}`,
  );
  for (const address of [people.siteOwner, people.siteContact])
    insist(recipients.includes(address), `no mail to ${address}`);
  insist(
    recipients.length === 3,
    `mails to ${recipients.join(", ")}: expected the CPO, the site owner and the site contact`,
  );
  for (const { to, subject, attachments } of sent) {
    print.note(
      `${to.join(", ")}: "${subject}" with ${attachments.map((file) => `${file.filename} (${file.size} bytes)`).join(", ")}`,
    );
  }
  print.note(`all mails: ${stack.mail_url}`);
}

/** The project is locked for installers. */
async function refusedFromNowOn(projectId: string, installer: Speaker): Promise<void> {
  await installer(
    "POST",
    "/api/v1/installer/charge-points",
    { status: 409 },
    {
      project_id: projectId,
      serial_number: "SN-TOO-LATE",
      model: "M",
      vendor: "V",
      ocpp_version: "1.6",
      max_power_kw: 22,
      connector_count: 1,
      location: { latitude: 51.5, longitude: -0.1, description: "Bay 6" },
    },
  );
}
