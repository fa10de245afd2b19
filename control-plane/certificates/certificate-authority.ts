import type { KeyObject } from "node:crypto";
import type { Result } from "@dynamo-csms/proto/result";

/** What a station may ask to be signed (2.1 CertificateSigningUseEnumType; 1.6 knows the first alone). */
export const CERTIFICATE_TYPES = ["ChargingStationCertificate", "V2GCertificate", "V2G20Certificate"] as const;
export type CertificateType = (typeof CERTIFICATE_TYPES)[number];

/** A request that was checked: its signature, its key, and for a charging station's own certificate its subject. */
export interface CertificateOrder {
  /** The same for the same request of the same station, however often it is placed: an authority with a memory issues once. */
  orderId: string;
  certificateType: CertificateType;
  /** PKCS#10, PEM, as the station sent it. */
  csr: string;
  publicKey: KeyObject;
  chargePointId: string;
  /** On file, which is what the subject of a charging station's own certificate must be. */
  serialNumber: string;
  organizationName: string;
}

/** `refused`: it will not issue this one. `unavailable`: not now; it is asked again. The reason is for a person. */
export interface NotIssued {
  kind: "refused" | "unavailable";
  reason: string;
}

/**
 * Who issues the certificates of stations: the place where a real authority goes (docs/certificates.md). Called by the jobs
 * process, perhaps twice for one order. Throws only faults, which count as unavailable.
 */
export interface CertificateAuthority {
  /** PEM: the station's certificate first, then what stands between it and the root. */
  issue(order: CertificateOrder): Promise<Result<string, NotIssued>>;
  /** Tells it that a certificate is not to be trusted any more, for its own lists; the gateways refuse it already. */
  revoke?(certificate: { serialNumber: string; fingerprint: string; reason: string }): Promise<Result<void, NotIssued>>;
}
