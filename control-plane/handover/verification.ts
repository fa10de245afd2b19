import { createHash } from "node:crypto";
import { isoSeconds } from "../http/iso-time.ts";
import { escapeHtml, htmlPage } from "../mail/html-page.ts";
import { verifySignature } from "./verify-signature.ts";

export interface StoredCertificate {
  pdf: Buffer;
  sha256: Buffer;
  linkTokenHash: Buffer;
  signedAt: Date;
}

export interface Verification {
  project_id: string;
  valid: boolean;
  sha256: string;
  signer: string | null;
  signer_certificate_sha256: string | null;
  signed_at: string;
}

/** Looks at the certificate on file itself, not at what was once noted about it. */
export async function verifyStored(
  projectId: string,
  { pdf, sha256, signedAt }: StoredCertificate,
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
  };
}

/** The page behind the QR code. It tells how to compare the PDF at hand, because a page alone vouches for nothing printed. */
export function verificationPage(verification: Verification, url: string): string {
  const facts: [string, string][] = [
    ["Project", verification.project_id],
    ["Signed", `${verification.signed_at.replace("T", " ").replace("Z", " UTC")}`],
    ["Signed by", verification.signer ?? "unknown"],
    ["Signing certificate (SHA-256)", verification.signer_certificate_sha256 ?? "unknown"],
    ["PDF (SHA-256)", verification.sha256],
  ];
  return htmlPage("Handover certificate", [
    `<h1>${verification.valid ? "This certificate is valid" : "This certificate is not valid"}</h1>`,
    verification.valid
      ? "<p>The certificate on file is unchanged since it was signed.</p>"
      : "<p>The certificate on file was changed after it was signed. Please tell the operator of the site.</p>",
    `<table>${facts.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>`,
    "<p>A PDF is this certificate when its SHA-256 is the one above (<code>sha256sum file.pdf</code>); a PDF reader shows its signature as well. A copy with another sum was changed or belongs to another handover.</p>",
    `<p>Check that the address in your browser is <code>${escapeHtml(url)}</code>.</p>`,
  ]);
}
