import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { inTransaction, type Sql } from "../database.ts";
import { answered, type Decision, type DecisionDeps, type DecisionStep, type Question } from "../decisions/decision.ts";
import {
  fileRequest,
  findRequest,
  type RequestOnRecord,
  type SigningRequest,
  signingRequestIn,
} from "./certificate-requests.ts";
import { recordSecurityEvents } from "../security-events/record-security-events.ts";
import { readSigningRequest, refuseKey, refuseSubject } from "./signing-request.ts";

/** So many keys a station may have certified in a day: each new one is an issuance, and a station costs nothing. */
const MAX_REQUESTS_PER_DAY = 10;

/**
 * SignCertificate (security whitepaper and 2.x A02, A03): checked, committed and answered at once; the jobs process issues
 * and sends CertificateSigned. The station asks again until it has its certificate: the same CSR is the same request.
 */
export const decideSignCertificate: DecisionStep = async (question, deps) => {
  const { station, version, epoch, seq } = question;
  const payload: unknown = JSON.parse(question.payloadText);
  const request = signingRequestIn({ station, version, epoch, seq, payload });
  const verdict = await inTransaction(deps.pool, (sql) => judge(sql, request, question, deps));
  return verdictAnswer(verdict, version);
};

function verdictAnswer(verdict: Result<void, string>, version: Question["version"]): Decision {
  if (verdict.ok) return answered({ status: "Accepted" });
  const statusInfo = { reasonCode: "InvalidCSR", additionalInfo: verdict.error.slice(0, 500) };
  return answered({ status: "Rejected", ...(version === "1.6" ? {} : { statusInfo }) });
}

async function judge(
  sql: Sql,
  request: SigningRequest,
  question: Question,
  deps: DecisionDeps,
): Promise<Result<void, string>> {
  const [station] = await sql.query<{ serialNumber: string; organizationName: string }>(
    `select s.serial_number as "serialNumber", g.name as "organizationName" from stations s join organizations g on g.id = s.org_id
     where s.id = $1 and s.retired_at is null for no key update of s`,
    [question.station.id],
  );
  if (station === undefined) return err("the charge point is retired");
  const known = await findRequest(sql, request);
  if (known !== undefined && known.state !== "rejected") return askedAgain(sql, known);
  const reason = (await refuse(sql, request, station, deps)) ?? null;
  await fileRequest(sql, request, { state: reason === null ? "accepted" : "rejected", reason });
  if (reason !== null) await noteRefusal(sql, request, question, reason);
  return reason === null ? ok(undefined) : err(reason);
}

async function refuse(
  sql: Sql,
  request: SigningRequest,
  station: { serialNumber: string; organizationName: string },
  deps: DecisionDeps,
): Promise<string | undefined> {
  if (deps.certificates?.issuedTypes.includes(request.certificateType) !== true)
    return `nobody issues certificates of the type ${request.certificateType} here`;
  const read = readSigningRequest(request.csr);
  if (!read.ok) return read.error;
  const weak = refuseKey(read.value.publicKey);
  if (weak !== undefined) return weak;
  // Whose a vehicle-to-grid certificate may be is for its own authority to say.
  const stranger =
    request.certificateType === "ChargingStationCertificate" ? refuseSubject(read.value, station) : undefined;
  if (stranger !== undefined) return stranger;
  if (
    request.certificateType === "ChargingStationCertificate" &&
    (await isNamesake(sql, request, station.serialNumber))
  )
    return "another charge point of the organisation has this serial number";
  const [{ count } = { count: 0 }] = await sql.query<{ count: number }>(
    `select count(*)::int as count from certificate_requests where station_id = $1 and state <> 'rejected' and created_at > now() - interval '1 day'`,
    [request.station.id],
  );
  return count < MAX_REQUESTS_PER_DAY ? undefined : "too many keys in one day";
}

/**
 * Serial numbers are unique within a project alone, and a certificate tells nothing but serial number and organisation: one
 * that two charge points share would let each of them pass for the other.
 */
async function isNamesake(sql: Sql, { station }: SigningRequest, serialNumber: string): Promise<boolean> {
  const others = await sql.query(
    `select 1 from stations where org_id = $1 and serial_number = $2 and id <> $3 and retired_at is null limit 1`,
    [station.orgId, serialNumber, station.id],
  );
  return others.length > 0;
}

/** For the station's security log: once for each request, however often it is asked. */
async function noteRefusal(sql: Sql, request: SigningRequest, question: Question, reason: string): Promise<void> {
  const { station, receivedAt } = question;
  const identity = ["certificate request", request.certificateType, request.csrHash.toString("hex")];
  const type = "CertificateRequestRefused";
  await recordSecurityEvents(sql, [
    { station, source: "csms", type, techInfo: reason, occurredAt: receivedAt, receivedAt, identity },
  ]);
}

/** The certificate that it was issued is sent once more, unless it is still on its way. */
async function askedAgain(sql: Sql, known: RequestOnRecord): Promise<Result<void, string>> {
  await sql.query(`update certificate_requests set times_asked = times_asked + 1, asked_at = now() where id = $1`, [
    known.id,
  ]);
  if (known.state === "failed") return err(known.reason ?? "it was refused");
  if (known.state === "accepted") return ok(undefined);
  const [certificate] = await sql.query<{ ended: boolean }>(
    `select revoked_at is not null or not_after <= now() as ended from station_certificates where request_id = $1`,
    [known.id],
  );
  if (certificate === undefined || certificate.ended) return err("its certificate has ended; a new key is wanted");
  await sql.query(
    `update certificate_requests set state = 'issued', attempts = 0, due_at = coalesce(due_at, now()) where id = $1`,
    [known.id],
  );
  return ok(undefined);
}
