import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { endCertificateSigned } from "./certificate-signed-outcome.ts";
import { askAfterInstallation, fileInstalledCertificates, forgetDeletedCertificate } from "./installed-certificates.ts";

/** What the ends of commands about certificates change. */
export const CERTIFICATE_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["CertificateSigned", endCertificateSigned],
  ["DeleteCertificate", forgetDeletedCertificate],
  ["GetInstalledCertificateIds", fileInstalledCertificates],
  ["InstallCertificate", askAfterInstallation],
];
