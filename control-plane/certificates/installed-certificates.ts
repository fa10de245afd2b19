import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import { queueCommand } from "../commands/queue-command.ts";
import type { Sql } from "../database.ts";
import { storableJson, storableText } from "../message-log/storable-text.ts";
import type { CertificateHash } from "./ocsp-message.ts";

/** One certificate that a station says it has. */
interface Reported {
  type: string;
  hash: CertificateHash;
  children: readonly CertificateHash[];
}

/** Everything that a GetInstalledCertificateIds can ask for; one that names nothing asks for all. */
const ALL_TYPES = {
  "1.6": ["CentralSystemRootCertificate", "ManufacturerRootCertificate"],
  "2.0.1": [
    "V2GRootCertificate",
    "MORootCertificate",
    "CSMSRootCertificate",
    "V2GCertificateChain",
    "ManufacturerRootCertificate",
  ],
  "2.1": [
    "V2GRootCertificate",
    "MORootCertificate",
    "CSMSRootCertificate",
    "V2GCertificateChain",
    "ManufacturerRootCertificate",
    "OEMRootCertificate",
  ],
} as const;

/** The end of a GetInstalledCertificateIds (OUTCOME_EFFECTS): what the station told replaces what was known of these types. */
export const fileInstalledCertificates: OutcomeEffect = async (sql, command) => {
  const { status } = (command.response ?? {}) as { status?: string };
  if (status !== "Accepted" && status !== "NotFound") return;
  const asked = (command.payload as { certificateType?: string | string[] }).certificateType;
  const types = asked === undefined ? ALL_TYPES[command.version] : [asked].flat();
  const fresh = await sql.query<{ certificate_type: string }>(
    `insert into installed_certificate_reports as r (station_id, certificate_type, reported_at) select $1, t, $3 from unnest($2::text[]) as t order by t
     on conflict (station_id, certificate_type) do update set reported_at = excluded.reported_at where r.reported_at <= excluded.reported_at
     returning certificate_type`,
    [command.stationId, [...new Set(types)], command.at],
  );
  const replaced = fresh.map((row) => row.certificate_type);
  await sql.query(`delete from installed_certificates where station_id = $1 and certificate_type = any($2::text[])`, [
    command.stationId,
    replaced,
  ]);
  await insert(
    sql,
    command,
    reportedIn(command).filter(({ type }) => replaced.includes(type)),
  );
};

function reportedIn({ version, payload, response }: EndedCommand): Reported[] {
  if (version === "1.6") {
    const { certificateHashData = [] } = response as { certificateHashData?: CertificateHash[] };
    const type = (payload as { certificateType: string }).certificateType;
    return certificateHashData.map((hash) => ({ type, hash, children: [] }));
  }
  const { certificateHashDataChain = [] } = response as { certificateHashDataChain?: HashChain[] };
  return certificateHashDataChain.map((chain) => ({
    type: chain.certificateType,
    hash: chain.certificateHashData,
    children: chain.childCertificateHashData ?? [],
  }));
}

interface HashChain {
  certificateType: string;
  certificateHashData: CertificateHash;
  childCertificateHashData?: CertificateHash[];
}

async function insert(sql: Sql, command: EndedCommand, reported: readonly Reported[]): Promise<void> {
  if (reported.length === 0) return;
  await sql.query(
    `insert into installed_certificates (station_id, certificate_type, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number, children, reported_at)
     select $1, t, a, n, k, s, c, $8 from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) as u (t, a, n, k, s, c)
     on conflict do nothing`,
    [
      command.stationId,
      reported.map(({ type }) => type),
      reported.map(({ hash }) => hash.hashAlgorithm),
      reported.map(({ hash }) => storableText(hash.issuerNameHash)),
      reported.map(({ hash }) => storableText(hash.issuerKeyHash)),
      reported.map(({ hash }) => storableText(hash.serialNumber)),
      reported.map(({ children }) => storableJson(JSON.stringify(children))),
      command.at,
    ],
  );
}

/** The end of an InstallCertificate (OUTCOME_EFFECTS): the station is asked what it has now, for it counts the hashes itself. */
export const askAfterInstallation: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const type = (command.payload as { certificateType: string }).certificateType;
  await queueCommand(sql, {
    stationId: command.stationId,
    orgId: command.orgId,
    version: command.version,
    action: "GetInstalledCertificateIds",
    payload: { certificateType: command.version === "1.6" ? type : [type] },
    requestedBy: "system:certificates",
    dedupeKey: `installed-certificates:${type}`,
  });
};

/** The end of a DeleteCertificate (OUTCOME_EFFECTS): deleted, or not there in the first place. */
export const forgetDeletedCertificate: OutcomeEffect = async (sql, command) => {
  const { status } = (command.response ?? {}) as { status?: string };
  if (status !== "Accepted" && status !== "NotFound") return;
  const { certificateHashData: hash } = command.payload as { certificateHashData: CertificateHash };
  await sql.query(
    `delete from installed_certificates where station_id = $1 and hash_algorithm = $2 and lower(issuer_name_hash) = lower($3)
       and lower(issuer_key_hash) = lower($4) and lower(serial_number) = lower($5) and reported_at <= $6`,
    [
      command.stationId,
      hash.hashAlgorithm,
      storableText(hash.issuerNameHash),
      storableText(hash.issuerKeyHash),
      storableText(hash.serialNumber),
      command.at,
    ],
  );
};
