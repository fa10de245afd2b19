import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { storableText } from "../message-log/storable-text.ts";
import type { FactOrder } from "../stations/fact-order.ts";
import type { KnownStation } from "../stations/known-station.ts";
import type { CertificateType } from "./certificate-authority.ts";
import { hashOfText, readSigningRequest } from "./signing-request.ts";

/** A SignCertificate of a station. */
export interface SigningRequest extends FactOrder {
  station: KnownStation;
  certificateType: CertificateType;
  csr: string;
  /** Of its DER, or of its text when it is none: the business key, with station and type. */
  csrHash: Buffer;
  /** requestId of 2.1. */
  requestNumber: number | null;
}

interface SignCertificatePayload {
  csr: string;
  certificateType?: CertificateType;
  requestId?: number;
}

/** The request in a SignCertificate of any version; one without a type is for the station's own certificate (2.x A02). */
export function signingRequestIn(message: {
  station: KnownStation;
  version: OcppVersion;
  epoch: number;
  seq: number;
  payload: unknown;
}): SigningRequest {
  // Behind the gateway's schema check.
  const { csr, certificateType, requestId } = message.payload as SignCertificatePayload;
  const read = readSigningRequest(csr);
  const { station, epoch, seq } = message;
  return {
    station,
    epoch,
    seq,
    certificateType: certificateType ?? "ChargingStationCertificate",
    csr: storableText(csr),
    csrHash: read.ok ? read.value.hash : hashOfText(csr),
    requestNumber: Number.isSafeInteger(requestId) ? (requestId as number) : null,
  };
}

export type RequestState = "rejected" | "accepted" | "issued" | "installed" | "failed";

/** What is on record of a request. */
export interface RequestOnRecord {
  id: string;
  state: RequestState;
  reason: string | null;
}

/** Finds the request, its row locked; undefined: it is new. */
export async function findRequest(sql: Sql, request: SigningRequest): Promise<RequestOnRecord | undefined> {
  const [row] = await sql.query<RequestOnRecord>(
    `select id, state, reason from certificate_requests where station_id = $1 and certificate_type = $2 and csr_hash = $3 for update`,
    [request.station.id, request.certificateType, request.csrHash],
  );
  return row;
}

/** Refused requests are kept for whoever looks for the reason; of a station that goes on asking, the last ones. */
const REFUSED_KEPT = 20;

/** Files a request under its business key with this verdict; one that is accepted is due to be issued. */
export async function fileRequest(
  sql: Sql,
  request: SigningRequest,
  verdict: { state: "accepted" | "rejected"; reason: string | null },
): Promise<void> {
  await sql.query(
    `insert into certificate_requests as r (id, station_id, org_id, certificate_type, csr_hash, csr, request_number, state, reason, epoch, seq, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, case when $8 = 'accepted' then now() end)
     on conflict (station_id, certificate_type, csr_hash) do update set state = excluded.state, reason = excluded.reason, due_at = excluded.due_at,
       request_number = excluded.request_number, times_asked = r.times_asked + 1, asked_at = now(), epoch = excluded.epoch, seq = excluded.seq`,
    [
      newId("csr"),
      request.station.id,
      request.station.orgId,
      request.certificateType,
      request.csrHash,
      request.csr,
      request.requestNumber,
      verdict.state,
      verdict.reason,
      request.epoch,
      request.seq,
    ],
  );
  if (verdict.state === "rejected")
    await sql.query(
      `delete from certificate_requests where id in (
         select id from certificate_requests where station_id = $1 and state = 'rejected' order by asked_at desc, id offset ${REFUSED_KEPT})`,
      [request.station.id],
    );
}

/**
 * Puts requests back that were answered "Accepted" and that Postgres does not know, or knows as rejected before: it lost its
 * last commits. Where the request is on record nothing changes.
 */
export async function restoreRequests(sql: Sql, requests: readonly SigningRequest[]): Promise<void> {
  for (const request of requests) {
    const known = await findRequest(sql, request);
    if (known !== undefined && known.state !== "rejected") continue;
    const later = await sql.query(
      `select 1 from certificate_requests where id = $1 and (epoch, seq) >= ($2::bigint, $3::int)`,
      [known?.id ?? "", request.epoch, request.seq],
    );
    if (later.length === 0) await fileRequest(sql, request, { state: "accepted", reason: null });
  }
}
