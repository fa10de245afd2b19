import { createHash } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import { inTransaction, type Sql } from "../database.ts";
import { isoSeconds } from "../http/iso-time.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { MAIL_WORK, queueMail } from "../mail/queue-mail.ts";
import { FAN_OUT_WORK, recordEvent } from "../webhooks/record-event.ts";
import { lockProjectOf, lockUnitsOf, type ProjectFacts, type UnitFact } from "./certificate-facts.ts";
import { newCertificateLink, verifyUrl } from "./certificate-link.ts";
import { makeCertificatePdf } from "./pdf/certificate-pdf.ts";
import type { PdfSigner } from "./pdf-signer.ts";

export interface HandoverDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
  wakeUps: WakeUps;
  pdfSigner: PdfSigner;
  publicApiUrl: string;
}

export interface HandoverRequest {
  projectId: string;
  installerId: string;
  signedBy: string;
  handoverNotes: string;
  siteContactName: string;
  siteContactEmail: string;
}

export interface Handover {
  certificateUrl: string;
  handedOverAt: Date;
  warnings: string[];
}

export type HandoverRefused =
  | { kind: "no_such_project" }
  | { kind: "handed_over" }
  | { kind: "no_charge_points" }
  | { kind: "blocked"; units: UnitFact[] };

/**
 * Hands a project over to the site owner, all or nothing in one transaction: the project's row is locked from the check of
 * its units to the commit, and the signed certificate, the event and the mails are written with the new status. A
 * certificate that cannot be made or signed throws, and nothing is handed over.
 */
export async function completeHandover(
  deps: HandoverDeps,
  request: HandoverRequest,
): Promise<Result<Handover, HandoverRefused>> {
  const { pool, wakeUps } = deps;
  const outcome = await inTransaction(pool, (sql) => handOver(sql, deps, request));
  if (!outcome.ok) return outcome;
  const { eventId, mailIds, ...handover } = outcome.value;
  wakeUps.wake(FAN_OUT_WORK, eventId);
  for (const id of mailIds) wakeUps.wake(MAIL_WORK, id);
  return ok(handover);
}

interface Committed extends Handover {
  eventId: string;
  mailIds: string[];
}

async function handOver(
  sql: Sql,
  deps: HandoverDeps,
  request: HandoverRequest,
): Promise<Result<Committed, HandoverRefused>> {
  const { secretsKey, pdfSigner, publicApiUrl } = deps;
  const project = await lockProjectOf(sql, request.projectId, request.installerId);
  if (project === undefined) return err({ kind: "no_such_project" });
  if (project.status === "handed_over") return err({ kind: "handed_over" });
  const units = await lockUnitsOf(sql, project.projectId);
  if (units.length === 0) return err({ kind: "no_charge_points" });
  const inTheWay = units.filter((unit) => unit.commissioningStatus !== "completed");
  if (inTheWay.length > 0) return err({ kind: "blocked", units: inTheWay });

  // Whole seconds: the answer, the mails and the certificate show the same time.
  const handedOverAt = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const warnings = warningsOf(project, units);
  const unsigned = await makeCertificatePdf({
    project,
    units,
    signedBy: request.signedBy,
    siteContactName: request.siteContactName,
    handoverNotes: request.handoverNotes,
    warnings,
    handedOverAt,
    verifyUrl: verifyUrl(publicApiUrl, project.projectId),
  });
  const pdf = await pdfSigner.sign(unsigned, { reason: `Handover of ${project.projectId}`, signedAt: handedOverAt });
  const sha256 = createHash("sha256").update(pdf).digest();
  const link = newCertificateLink(secretsKey, publicApiUrl, project.projectId);

  // A project that the CPO reopened has an older handover and certificate: the new ones replace them.
  await sql.query("update projects set status = 'handed_over', handed_over_at = $2 where id = $1", [
    project.projectId,
    handedOverAt,
  ]);
  await sql.query(
    `insert into handovers (project_id, installer_id, signed_by, handover_notes, site_contact_name, site_contact_email, handed_over_at, warnings)
     values ($1, $2, $3, $4, $5, $6, $7, $8::text[])
     on conflict (project_id) do update set installer_id = excluded.installer_id, signed_by = excluded.signed_by, handover_notes = excluded.handover_notes,
       site_contact_name = excluded.site_contact_name, site_contact_email = excluded.site_contact_email, handed_over_at = excluded.handed_over_at, warnings = excluded.warnings`,
    [
      project.projectId,
      request.installerId,
      request.signedBy,
      request.handoverNotes,
      request.siteContactName,
      request.siteContactEmail,
      handedOverAt,
      warnings,
    ],
  );
  await sql.query(
    `insert into certificates (project_id, pdf, sha256, link_token_sealed, link_token_hash) values ($1, $2, $3, $4, $5)
     on conflict (project_id) do update set pdf = excluded.pdf, sha256 = excluded.sha256, link_token_sealed = excluded.link_token_sealed,
       link_token_hash = excluded.link_token_hash, created_at = now()`,
    [project.projectId, pdf, sha256, link.tokenSealed, link.tokenHash],
  );
  const eventId = await recordEvent(sql, {
    orgId: project.orgId,
    type: "handover.completed",
    occurredAt: handedOverAt,
    data: {
      project_id: project.projectId,
      name: project.name,
      site_address: project.siteAddress,
      installer_id: project.installerId,
      signed_by: request.signedBy,
      site_contact_name: request.siteContactName,
      charge_point_ids: units.map((unit) => unit.chargePointId),
      certificate_sha256: sha256.toString("hex"),
      warnings,
      handed_over_at: isoSeconds(handedOverAt),
    },
  });
  const mailIds = await queueMails(sql, secretsKey, {
    project,
    request,
    units,
    warnings,
    handedOverAt,
    certificateUrl: link.url,
  });
  return ok({ certificateUrl: link.url, handedOverAt, warnings, eventId, mailIds });
}

function warningsOf({ chargePointsExpected }: ProjectFacts, units: readonly UnitFact[]): string[] {
  if (units.length === chargePointsExpected) return [];
  return [
    `${chargePointsExpected} charge points were expected in this project, ${units.length} ${units.length === 1 ? "was" : "were"} registered and commissioned.`,
  ];
}

/** One mail per address, however it is spelt and whatever roles it has. */
async function queueMails(
  sql: Sql,
  secretsKey: SecretsKey,
  done: {
    project: ProjectFacts;
    request: HandoverRequest;
    units: readonly UnitFact[];
    warnings: string[];
    handedOverAt: Date;
    certificateUrl: string;
  },
): Promise<string[]> {
  const { project, request, units, warnings, handedOverAt, certificateUrl } = done;
  const recipients = new Map<string, string>();
  for (const address of [project.organizationEmail, project.siteOwnerEmail, request.siteContactEmail]) {
    const folded = address?.toLowerCase();
    if (address != null && folded !== undefined && !recipients.has(folded)) recipients.set(folded, address);
  }
  const mailIds: string[] = [];
  for (const [folded, recipient] of recipients) {
    const mailId = await queueMail(sql, secretsKey, {
      template: "handover_completed",
      dedupeKey: `handover_completed:${project.projectId}:${isoSeconds(handedOverAt)}:${folded}`,
      recipient,
      data: {
        project_id: project.projectId,
        project_name: project.name,
        site_address: project.siteAddress,
        installer_name: project.installerName,
        installer_company: project.installerCompany,
        site_contact_name: request.siteContactName,
        handed_over_at: isoSeconds(handedOverAt),
        charge_point_count: units.length,
        warnings,
      },
      secretData: { certificate_url: certificateUrl },
    });
    if (mailId !== undefined) mailIds.push(mailId);
  }
  return mailIds;
}
