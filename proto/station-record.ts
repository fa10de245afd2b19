import type { OcppVersion } from "./ocpp-version.ts";
import type { QuirkSettings } from "./quirks.ts";

export type Registration = "unknown" | "pending" | "accepted" | "rejected";

/** How a password travels in Basic auth: its text, or (1.6 AuthorizationKey) the bytes its hex digits stand for. */
export type CredentialEncoding = "literal" | "hexDecoded";

export interface StationVerifier {
  /** base64 of HMAC-SHA-256(pepper, password bytes as they come over the wire). */
  digest: string;
  /** Which pepper: so that peppers can be rotated. */
  pepperId: string;
  encoding: CredentialEncoding;
}

/** What admission needs to know of a station: the registry in Redis, written by the control plane alone. */
export interface StationRecord {
  v: 1;
  /** Grows with each change; a lower one never overwrites a higher one. */
  rev: number;
  orgId: string;
  /** `cp_…`, the id of the REST API. */
  chargePointId: string;
  /** As it was registered; the key is case-folded. */
  identitySpelling: string;
  /** One, or two while a password is being changed: current first. */
  verifiers: StationVerifier[];
  ocppVersions: OcppVersion[];
  /** 1 Basic, 2 TLS + Basic, 3 mutual TLS. */
  securityProfile: 1 | 2 | 3;
  registration: Registration;
  /** Told in BootNotification answers. */
  heartbeatIntervalSeconds: number;
  /** Relaxations in force for this station; absent: none. */
  quirks?: QuirkSettings;
  /** On file: what the CN of a profile-3 certificate must be (A00.FR.405). */
  serialNumber?: string;
  /** Name of the organisation: what the O of a profile-3 certificate must be (A00.FR.404). */
  organizationName?: string;
  /** SHA-256 fingerprints (lower-case hex, no colons) of client certificates that were revoked before they expired. */
  revokedCertificates?: string[];
  /** Retired: authenticated stations get 404, nobody else learns that it existed. */
  retired: boolean;
}

/** As it stands in Redis; only the control plane writes it. */
export const encodeStationRecord = (record: StationRecord): string => JSON.stringify(record);

/** Reads what the control plane wrote. A record of a newer format is a fault of the deployment order: thrown. */
export function decodeStationRecord(text: string): StationRecord {
  const record = JSON.parse(text) as StationRecord;
  if (record.v !== 1) throw new Error(`station record of format ${String(record.v)}: this build reads format 1`);
  return record;
}
