import { X509Certificate } from "node:crypto";
import { Gauge, type Registry } from "prom-client";

/** What a process shows with its own certificates: their use is the label, a closed set. */
type CertificateUse = "gateway_tls" | "pdf_signing" | "decisions";

/**
 * Tells when a process's own certificates run out, as it read them at its start: `dynamo_certificate_not_after_seconds`.
 * @param certificates PEM, of a chain the first counts, or the time itself; undefined: the process has none for this use.
 */
export function tellCertificates(
  registry: Registry,
  certificates: Partial<Record<CertificateUse, string | Buffer | Date | undefined>>,
): void {
  const notAfter = new Gauge({
    name: "dynamo_certificate_not_after_seconds",
    help: "When a certificate of this process runs out, Unix time",
    labelNames: ["use"],
    registers: [],
  });
  registry.registerMetric(notAfter);
  for (const [use, given] of Object.entries(certificates)) {
    if (given === undefined) continue;
    const end = given instanceof Date ? given : new X509Certificate(given).validToDate;
    notAfter.set({ use }, end.getTime() / 1_000);
  }
}
