import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { matchPassword, type Peppers } from "@dynamo-csms/proto/station-password";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import type { Admitted, QuirkUse, UpgradeClaim } from "./admission.ts";
import { isUserOf, parseBasicAuth } from "./basic-auth.ts";
import { whyNotTheStations } from "./client-certificate.ts";
import type { Refusal } from "./refusals.ts";
import type { StationUrl } from "./station-url.ts";

/** A station that proved who it is. */
export type Authentic = Pick<Admitted, "record" | "quirks" | "verifier" | "certificate">;

interface Deps {
  peppers: Peppers;
  now(): Date;
}

/**
 * Whether whoever connects is the station of the URL: by its certificate on a listener with mutual TLS, by its password on
 * the others. An unknown station and a wrong proof get the same refusal for the same work; which it was, the attempt tells.
 * @param record undefined: there is no such station
 */
export function authenticate(
  claim: UpgradeClaim,
  url: StationUrl,
  record: StationRecord | undefined,
  deps: Deps,
): Result<Authentic, Refusal> {
  return claim.listener === 3 ? byCertificate(claim, record, deps) : byPassword(claim, url, record, deps);
}

/** Profile 3 has no password: the TLS handshake proved the certificate, and the serial number on file binds it to the identity. */
function byCertificate(
  { certificate }: UpgradeClaim,
  record: StationRecord | undefined,
  { now }: Deps,
): Result<Authentic, Refusal> {
  if (certificate === undefined)
    return err({ reason: "no-client-certificate", attempt: { outcome: "no_client_certificate" } });
  const problem = whyNotTheStations(certificate, record ?? {}, now());
  if (record !== undefined && problem === undefined) return ok({ record, certificate, quirks: [] });
  const attempt: Refusal["attempt"] =
    record === undefined
      ? { outcome: "unknown_identity" }
      : { outcome: "bad_client_certificate", ...(problem && { detail: problem }) };
  return err({ reason: "bad-client-certificate", attempt });
}

function byPassword(
  claim: UpgradeClaim,
  url: StationUrl,
  record: StationRecord | undefined,
  { peppers }: Deps,
): Result<Authentic, Refusal> {
  const credentials = parseBasicAuth(claim.authorization);
  const match = matchPassword(credentials?.password ?? Buffer.alloc(0), record?.verifiers ?? [], peppers);
  const isUser = credentials !== undefined && isUserOf(credentials.username, url.identity);
  const quirk = record?.quirks?.credential_encoding;
  const forgiven = match?.asSent === false && quirk?.mode === "accept";

  if (record !== undefined && match !== undefined && isUser && (match.asSent || forgiven)) {
    const quirks: QuirkUse[] = forgiven
      ? [{ quirk: "credential_encoding", mode: "accept", detail: "the key came in the other encoding" }]
      : [];
    return ok({ record, quirks, verifier: match.verifier.digest.slice(0, 16) });
  }
  const refuse = (attempt: NonNullable<Refusal["attempt"]>) => err<Refusal>({ reason: "bad-credentials", attempt });
  if (record === undefined) return refuse({ outcome: "unknown_identity" });
  // What has to be put right first: with the wrong way in no password helps.
  if (record.securityProfile > claim.listener)
    return refuse({ outcome: record.securityProfile === 3 ? "wrong_security_profile" : "plain_ws" });
  if (claim.authorization === "") return refuse({ outcome: "no_credentials" });
  if (credentials === undefined)
    return refuse({ outcome: "bad_credentials", detail: "the Authorization header is no Basic authentication" });
  if (!isUser)
    return refuse({ outcome: "bad_credentials", detail: "the user name is not the charge point id of the URL" });
  if (match === undefined) return refuse({ outcome: "bad_credentials" });
  return refuse({
    outcome: "bad_credentials",
    detail: "the right key, in another encoding: its bytes instead of its hex digits, or the other way round",
    ...(quirk?.mode === "report_only" ? { notes: ["report_only:credential_encoding"] } : {}),
  });
}
