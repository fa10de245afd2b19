import { createHash } from "node:crypto";
import { isoSeconds } from "../http/iso-time.ts";
import { escapeHtml, htmlPage } from "../mail/html-page.ts";
import { verifySignature } from "./verify-signature.ts";

export interface StoredCertificate {
  pdf: Buffer;
  sha256: Buffer;
  linkTokenHash: Buffer;
  signedAt: Date;
  projectStatus: "in_progress" | "handed_over";
  /** When the operator took this handover back; null unless the project is in progress again. */
  reopenedAt: Date | null;
}

export interface Verification {
  project_id: string;
  valid: boolean;
  sha256: string;
  signer: string | null;
  signer_certificate_sha256: string | null;
  signed_at: string;
  project_status: "in_progress" | "handed_over";
  reopened_at: string | null;
}

/** Looks at the certificate on file itself, not at what was once noted about it. */
export async function verifyStored(
  projectId: string,
  { pdf, sha256, signedAt, projectStatus, reopenedAt }: StoredCertificate,
): Promise<Verification> {
  const signature = await verifySignature(pdf);
  const unchanged = createHash("sha256").update(pdf).digest().equals(sha256);
  return {
    project_id: projectId,
    valid: signature.ok && unchanged,
    sha256: sha256.toString("hex"),
    signer: signature.ok ? signature.value.commonName : null,
    signer_certificate_sha256: signature.ok ? signature.value.fingerprint : null,
    signed_at: isoSeconds(signedAt),
    project_status: projectStatus,
    reopened_at: reopenedAt && isoSeconds(reopenedAt),
  };
}

/** Title and first sentence. A certificate of a handover that was taken back is genuine, but speaks of the past. */
function judgementOf({ valid, project_status, reopened_at }: Verification): [string, string] {
  if (!valid)
    return [
      "This certificate is not valid",
      "The certificate on file was changed after it was signed. Please tell the operator of the site.",
    ];
  if (project_status === "handed_over")
    return ["This certificate is valid", "The certificate on file is unchanged since it was signed."];
  const when = reopened_at === null ? "" : ` on ${readableTime(reopened_at)}`;
  return [
    "This certificate is no longer current",
    `It is signed and unchanged, but the project was reopened${when} and has not been handed over again since.`,
  ];
}

const readableTime = (iso: string) => iso.replace("T", " ").replace("Z", " UTC");

/** The page behind the QR code. It tells how to compare the PDF at hand, because a page alone vouches for nothing printed. */
export function verificationPage(verification: Verification, url: string): string {
  const facts: [string, string][] = [
    ["Project", verification.project_id],
    ["Signed", readableTime(verification.signed_at)],
    ["Signed by", verification.signer ?? "unknown"],
    ["Signing certificate (SHA-256)", verification.signer_certificate_sha256 ?? "unknown"],
    ["PDF (SHA-256)", verification.sha256],
  ];
  const [title, meaning] = judgementOf(verification);
  return htmlPage("Handover certificate", [
    `<h1>${title}</h1>`,
    `<p>${meaning}</p>`,
    `<table>${facts.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>`,
    "<p>A PDF is this certificate when its SHA-256 is the one above (<code>sha256sum file.pdf</code>); a PDF reader shows its signature as well. A copy with another sum was changed or belongs to another handover.</p>",
    `<p>Check that the address in your browser is <code>${escapeHtml(url)}</code>.</p>`,
  ]);
}
