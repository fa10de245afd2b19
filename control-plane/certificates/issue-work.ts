import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { err, type Result } from "@dynamo-csms/proto/result";
import type { Logger } from "pino";
import type pg from "pg";
import { queueCommand } from "../commands/queue-command.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { newId } from "../ids.ts";
import type { DurableWork } from "../jobs/durable-work.ts";
import type { CertificateAuthority, CertificateType, NotIssued } from "./certificate-authority.ts";
import { type CertificateFacts, readIssued } from "./issued-certificate.ts";
import { readSigningRequest, refuseSubject } from "./signing-request.ts";

export interface IssueDeps {
  pool: pg.Pool;
  /** Undefined: nobody issues here any more; requests that were accepted before wait. */
  authority: CertificateAuthority | undefined;
  log: Pick<Logger, "warn">;
}

interface DueRequest {
  id: string;
  state: "accepted" | "issued";
  station_id: string;
  charge_point_id: string;
  serial_number: string;
  org_id: string;
  organization_name: string;
  version: OcppVersion;
  certificate_type: CertificateType;
  request_number: string | null;
  csr: string;
  csr_hash: Buffer;
  attempts: number;
}

/** While one process asks the authority, no other does: longer than the authority may take. */
const CLAIM = "2 minutes";
/** 30 s, 1 min, 2 min … at most an hour. */
const pauseSeconds = (attempts: number) => Math.min(30 * 2 ** Math.max(attempts - 1, 0), 3_600);
/** A station that is away fetches its certificate when it comes back. */
const DELIVERABLE_MS = 7 * 86_400_000;

/** Issues what was accepted, and hands the station what was issued (CertificateSigned), again when that was not heard. */
export function createIssueWork(deps: IssueDeps): DurableWork {
  return {
    name: "certificate-requests",
    concurrency: 4,
    async due(limit) {
      const rows = await sqlOn(deps.pool).query<{ id: string }>(
        `select id from certificate_requests where due_at <= now() order by due_at limit $1`,
        [limit],
      );
      return rows.map((row) => row.id);
    },
    async run(id) {
      const request = await claim(deps.pool, id);
      if (request === undefined) return;
      if (request.state === "issued") return inTransaction(deps.pool, (sql) => deliver(sql, request));
      const issued = await issue(request, deps.authority);
      if (issued.ok) await inTransaction(deps.pool, (sql) => fileAndDeliver(sql, request, issued.value));
      else await notIssued(request, issued.error, deps);
    },
  };
}

async function claim(pool: pg.Pool, id: string): Promise<DueRequest | undefined> {
  const [row] = await sqlOn(pool).query<DueRequest>(
    `update certificate_requests r set due_at = now() + interval '${CLAIM}', attempts = r.attempts + 1
     from stations s join organizations g on g.id = s.org_id left join station_connections c on c.station_id = s.id
     where r.id = $1 and r.due_at <= now() and r.state in ('accepted', 'issued') and s.id = r.station_id and s.retired_at is null
     returning r.id, r.state, r.station_id::text as station_id, s.charge_point_id, s.serial_number, r.org_id, g.name as organization_name,
       coalesce(c.ocpp_version, s.ocpp_version) as version, r.certificate_type, r.request_number::text as request_number, r.csr, r.csr_hash, r.attempts`,
    [id],
  );
  if (row === undefined)
    await sqlOn(pool).query(
      `update certificate_requests r set state = 'failed', reason = 'the charge point is retired', due_at = null
       from stations s where r.id = $1 and s.id = r.station_id and s.retired_at is not null`,
      [id],
    );
  return row;
}

interface Issued {
  chain: string;
  facts: CertificateFacts;
}

async function issue(
  request: DueRequest,
  authority: CertificateAuthority | undefined,
): Promise<Result<Issued, NotIssued>> {
  if (authority === undefined) return err({ kind: "unavailable", reason: "no authority is configured" });
  const read = readSigningRequest(request.csr);
  if (!read.ok) return err({ kind: "refused", reason: read.error });
  const { publicKey } = read.value;
  const file = { serialNumber: request.serial_number, organizationName: request.organization_name };
  const own = request.certificate_type === "ChargingStationCertificate";
  // The file may have been corrected since the request was accepted.
  const stranger = own ? refuseSubject(read.value, file) : undefined;
  if (stranger !== undefined) return err({ kind: "refused", reason: stranger });
  try {
    const issued = await authority.issue({
      orderId: `${request.charge_point_id}-${request.csr_hash.toString("hex")}`,
      certificateType: request.certificate_type,
      csr: request.csr,
      publicKey,
      chargePointId: request.charge_point_id,
      ...file,
    });
    if (!issued.ok) return issued;
    const facts = readIssued(issued.value, { publicKey, subject: own ? file : undefined }, new Date());
    if (!facts.ok) return err({ kind: "unavailable", reason: facts.error });
    return { ok: true, value: { chain: issued.value, facts: facts.value } };
  } catch (fault) {
    return err({
      kind: "unavailable",
      reason: fault instanceof Error ? fault.message : "the authority does not answer",
    });
  }
}

async function notIssued(request: DueRequest, { kind, reason }: NotIssued, { pool, log }: IssueDeps): Promise<void> {
  log.warn({ certificateRequestId: request.id, kind, reason }, "certificate not issued");
  await sqlOn(pool).query(
    `update certificate_requests set state = $2, reason = $3, due_at = now() + $4 * interval '1 second' where id = $1 and state = 'accepted'`,
    kind === "refused"
      ? [request.id, "failed", reason, null]
      : [request.id, "accepted", reason, pauseSeconds(request.attempts)],
  );
}

async function fileAndDeliver(sql: Sql, request: DueRequest, { chain, facts }: Issued): Promise<void> {
  // Another process may have been quicker: its certificate is the one that counts.
  const moved = await sql.query(
    `update certificate_requests set state = 'issued', reason = null, attempts = 1 where id = $1 and state = 'accepted' returning id`,
    [request.id],
  );
  if (moved.length === 0) return;
  await sql.query(
    `insert into station_certificates (id, station_id, org_id, request_id, certificate_type, fingerprint, serial_number, subject, issuer, not_before, not_after, chain)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      newId("crt"),
      request.station_id,
      request.org_id,
      request.id,
      request.certificate_type,
      facts.fingerprint,
      facts.serialNumber,
      facts.subject,
      facts.issuer,
      facts.notBefore,
      facts.notAfter,
      chain,
    ],
  );
  await deliver(sql, request);
}

async function deliver(sql: Sql, request: DueRequest): Promise<void> {
  const [certificate] = await sql.query<{ chain: string }>(
    `select chain from station_certificates where request_id = $1 and revoked_at is null and not_after > now()`,
    [request.id],
  );
  const { station_id: stationId, org_id: orgId, version } = request;
  const commandId =
    certificate !== undefined && speaksOf(version, request.certificate_type)
      ? await queueCommand(sql, {
          stationId,
          orgId,
          version,
          action: "CertificateSigned",
          payload: {
            certificateChain: certificate.chain,
            ...(version === "1.6" ? {} : { certificateType: request.certificate_type }),
            ...(version === "2.1" && request.request_number !== null
              ? { requestId: Number(request.request_number) }
              : {}),
          },
          requestedBy: "system:certificates",
          dedupeKey: `certificate-signed:${request.id}`,
          validForMs: DELIVERABLE_MS,
        })
      : undefined;
  // None: its certificate has ended, or is on its way already.
  await sql.query(
    `update certificate_requests set due_at = null, command_id = coalesce($2, command_id) where id = $1`,
    [request.id, commandId ?? null],
  );
}

/** Whether the version that the station speaks now has a word for this type. */
const speaksOf = (version: OcppVersion, type: CertificateType): boolean =>
  type === "ChargingStationCertificate" || version === "2.1" || (version === "2.0.1" && type === "V2GCertificate");
