import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";

export const certificate = named(
  "StationCertificate",
  z.object({
    certificate_id: z.string(),
    certificate_type: z.string(),
    status: z
      .enum(["issued", "installed", "superseded", "refused", "revoked", "expired"])
      .describe(
        "issued: on its way to the charge point; installed: it said that it has it, or used it; superseded: a newer one is installed",
      ),
    serial_number: z.string().describe("of the certificate, hexadecimal"),
    fingerprint: z.string().describe("SHA-256, hexadecimal"),
    subject: z.string(),
    issuer: z.string(),
    not_before: isoTime(),
    not_after: isoTime(),
    issued_at: isoTime(),
    installed_at: isoTime().nullable(),
    first_used_at: isoTime().nullable(),
    revoked_at: isoTime().nullable(),
    revocation_reason: z.string().nullable(),
    certificate_chain: z.string().describe("PEM, as the charge point gets it"),
  }),
);

export const certificateRequest = named(
  "CertificateRequest",
  z.object({
    certificate_request_id: z.string(),
    certificate_type: z.string(),
    status: z
      .enum(["rejected", "accepted", "issued", "installed", "failed"])
      .describe("rejected: the charge point was told so at once; failed: not issued, or refused by the charge point"),
    reason: z.string().nullable(),
    times_asked: z.int(),
    requested_at: isoTime(),
    last_requested_at: isoTime(),
  }),
);

const hashData = z.object({
  hash_algorithm: z.string(),
  issuer_name_hash: z.string(),
  issuer_key_hash: z.string(),
  serial_number: z.string(),
});

export const installedCertificate = named(
  "InstalledCertificate",
  z.object({
    certificate_type: z.string(),
    ...hashData.shape,
    children: z.array(hashData).describe("of a V2G chain: the authorities below it"),
    reported_at: isoTime(),
  }),
);

/** With all its microseconds: a cursor's key. */
const KEY = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'`;

interface Listed<View> {
  keys: string[];
  view: View;
}

interface CertificateRow extends Omit<z.output<typeof certificate>, `${string}_at` | "not_before" | "not_after"> {
  key: string;
  not_before: Date;
  not_after: Date;
  issued_at: Date;
  installed_at: Date | null;
  first_used_at: Date | null;
  revoked_at: Date | null;
}

/** Certificates of a station, newest first, one more than `limit` where there are more. @param after keys of the last one seen. */
export async function listCertificates(
  sql: Sql,
  stationId: string,
  limit: number,
  after: readonly string[] | undefined,
  certificateId?: string,
): Promise<Listed<z.output<typeof certificate>>[]> {
  const rows = await sql.query<CertificateRow>(
    `select ${KEY("created_at")} as key, id as certificate_id, certificate_type,
       case when state <> 'revoked' and not_after <= now() then 'expired' else state end as status, serial_number, fingerprint, subject, issuer,
       not_before, not_after, created_at as issued_at, installed_at, first_used_at, revoked_at, revocation_reason, chain as certificate_chain
     from station_certificates where station_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3)) and ($5::text is null or id = $5)
     order by created_at desc, id desc limit $4`,
    [stationId, after?.[0] ?? null, after?.[1] ?? null, limit + 1, certificateId ?? null],
  );
  return rows.map(({ key, ...row }) => ({
    keys: [key, row.certificate_id],
    view: {
      ...row,
      not_before: isoMillis(row.not_before),
      not_after: isoMillis(row.not_after),
      issued_at: isoMillis(row.issued_at),
      installed_at: row.installed_at && isoMillis(row.installed_at),
      first_used_at: row.first_used_at && isoMillis(row.first_used_at),
      revoked_at: row.revoked_at && isoMillis(row.revoked_at),
    },
  }));
}

/** Certificate requests of a station, as `listCertificates`. */
export async function listRequests(
  sql: Sql,
  stationId: string,
  limit: number,
  after: readonly string[] | undefined,
): Promise<Listed<z.output<typeof certificateRequest>>[]> {
  type Row = Omit<z.output<typeof certificateRequest>, `${string}_at`> & {
    key: string;
    requested_at: Date;
    last_requested_at: Date;
  };
  const rows = await sql.query<Row>(
    `select ${KEY("created_at")} as key, id as certificate_request_id, certificate_type, state as status, reason, times_asked,
       created_at as requested_at, asked_at as last_requested_at
     from certificate_requests where station_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
     order by created_at desc, id desc limit $4`,
    [stationId, after?.[0] ?? null, after?.[1] ?? null, limit + 1],
  );
  return rows.map(({ key, ...row }) => ({
    keys: [key, row.certificate_request_id],
    view: {
      ...row,
      requested_at: isoMillis(row.requested_at),
      last_requested_at: isoMillis(row.last_requested_at),
    },
  }));
}

/** What a station said that it has installed. */
export async function listInstalledCertificates(
  sql: Sql,
  stationId: string,
): Promise<z.output<typeof installedCertificate>[]> {
  type Row = Omit<z.output<typeof installedCertificate>, "reported_at" | "children"> & {
    reported_at: Date;
    children: { hashAlgorithm: string; issuerNameHash: string; issuerKeyHash: string; serialNumber: string }[];
  };
  const rows = await sql.query<Row>(
    `select certificate_type, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number, children, reported_at
     from installed_certificates where station_id = $1 order by certificate_type, issuer_name_hash, serial_number`,
    [stationId],
  );
  return rows.map((row) => ({
    ...row,
    children: row.children.map((child) => ({
      hash_algorithm: child.hashAlgorithm,
      issuer_name_hash: child.issuerNameHash,
      issuer_key_hash: child.issuerKeyHash,
      serial_number: child.serialNumber,
    })),
    reported_at: isoMillis(row.reported_at),
  }));
}
