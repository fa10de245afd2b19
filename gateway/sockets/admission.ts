import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import type { QuirkMode, QuirkName } from "@dynamo-csms/proto/quirks";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import type { ParsedIdentity } from "@dynamo-csms/proto/station-identity";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { authenticate, type Authentic } from "./authenticate.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import type { ListenerProfile } from "./listener.ts";
import type { Refusal } from "./refusals.ts";
import type { StationDirectory } from "./station-directory.ts";
import { parseStationUrl, type StationUrl } from "./station-url.ts";
import { chooseSubprotocol, offeredSubprotocols, type ChosenSubprotocol } from "./subprotocol.ts";

/** What an upgrade request says, taken out of it before anything is awaited. */
export interface UpgradeClaim {
  path: string;
  /** Sec-WebSocket-Protocol; "" without one. */
  subprotocols: string;
  /** Authorization; "" without one. */
  authorization: string;
  remoteAddress: string;
  /** How the station got here, to us or to a trusted proxy. */
  listener: ListenerProfile;
  /** Its client certificate; on listener 3 alone. */
  certificate?: ClientCertificate;
}

/** A quirk of the station's profile that this handshake made use of. */
export interface QuirkUse {
  quirk: QuirkName;
  mode: QuirkMode;
  detail: string;
}

/** A station that may connect. */
export interface Admitted {
  identity: ParsedIdentity["identity"];
  record: StationRecord;
  subprotocol: ChosenSubprotocol;
  /** What was forgiven. */
  notes: string[];
  quirks: QuirkUse[];
  /** The first 16 characters of the digest of the password that let it in; absent: a certificate did. */
  verifier?: string;
  certificate?: ClientCertificate;
}

export interface AdmissionDeps {
  ocppPaths: readonly string[];
  peppers: Peppers;
  directory: StationDirectory;
  /** Per source: guesses of any kind, each of which may have cost a lookup. */
  guesses: { take(source: string): boolean; giveBack(source: string): void };
  failedLogins: { exhausted(key: string): boolean; take(key: string): boolean };
  now(): Date;
}

/**
 * Decides whether a station may connect, before the upgrade. Takes nothing and changes nothing but the count of failures.
 * Everything about a station but its URL is judged behind its credentials: without them every station looks alike.
 */
export async function admit(claim: UpgradeClaim, deps: AdmissionDeps): Promise<Result<Admitted, Refusal>> {
  const url = parseStationUrl(claim.path, deps.ocppPaths);
  if (!url.ok)
    return err({
      ...url.error,
      attempt: { outcome: "malformed_identity", ...("detail" in url.error ? { detail: url.error.detail } : {}) },
    });
  const { identity } = url.value;
  const refuse = (refusal: Refusal) =>
    err<Refusal>({ ...refusal, ...(refusal.attempt && { attempt: { identity, ...refusal.attempt } }) });

  // Counted per source and identity: a stranger who guesses does not lock the station out.
  const source = sourceOf(claim.remoteAddress);
  const attempt = `${source} ${identity}`;
  const limited = { reason: "too-many-attempts", attempt: { outcome: "too_many_attempts" } } as const;
  if (deps.failedLogins.exhausted(attempt)) return refuse(limited);

  // Taken before it is known whether this is one, and from known stations as from unknown ones: else the answer "too many"
  // would tell which identities exist.
  const mayGuess = deps.guesses.take(source);
  const answer = await deps.directory.find(identity, mayGuess);
  const record = answer.kind === "found" ? answer.record : undefined;
  const authentic = authenticate(claim, url.value, record, deps);
  if (!authentic.ok) {
    // Refused like a station that nobody knows, for which somebody would have to be asked: while that cannot be done, neither
    // the answer nor its time tells which identities exist. The operator is told what was wrong.
    const judged = answer.kind === "found" ? await deps.directory.findUnrecorded(identity, mayGuess) : answer;
    if (judged.kind === "away" && judged.what === "storage") {
      if (mayGuess) deps.guesses.giveBack(source);
      return refuse({ reason: "storage-away", attempt: { outcome: "service_unavailable" } });
    }
    deps.failedLogins.take(attempt);
    const known = answer.kind === "found" ? authentic.error.attempt : undefined;
    if (judged.kind === "away")
      return refuse({ reason: "control-plane-away", attempt: known ?? { outcome: "service_unavailable" } });
    if (judged.kind === "limited") return refuse({ ...limited, attempt: known ?? limited.attempt });
    return refuse(mayGuess ? authentic.error : { ...authentic.error, reason: limited.reason });
  }
  if (mayGuess) deps.guesses.giveBack(source);
  const decided = decide(claim, url.value, authentic.value);
  return decided.ok ? decided : refuse(decided.error);
}

/** The part that only an authenticated station learns the outcome of. */
function decide(claim: UpgradeClaim, url: StationUrl, authentic: Authentic): Result<Admitted, Refusal> {
  const { record } = authentic;
  if (record.retired) return err({ reason: "retired", attempt: { outcome: "retired" } });
  if (record.securityProfile > claim.listener)
    return record.securityProfile === 3
      ? err({ reason: "client-certificate-required", attempt: { outcome: "wrong_security_profile" } })
      : err({ reason: "tls-required", attempt: { outcome: "plain_ws" } });

  const chosen = subprotocolOf(offeredSubprotocols(claim.subprotocols), record);
  if (!chosen.ok) return chosen;
  const { subprotocol, quirks } = chosen.value;
  const differs = url.versionInPath !== undefined && url.versionInPath !== subprotocol.version;
  return ok({
    ...authentic,
    identity: url.identity,
    subprotocol,
    quirks: [...authentic.quirks, ...quirks, ...ownPingInterval(record)],
    notes: [...url.notes, ...(differs ? ["version-in-path-differs"] : [])],
  });
}

/** Told with each connection, since nothing else shows that it is in force. */
function ownPingInterval({ quirks }: StationRecord): QuirkUse[] {
  const quirk = quirks?.ping_interval;
  if (quirk === undefined) return [];
  const what = quirk.seconds > 0 ? `a ping every ${quirk.seconds} s` : "no pings";
  return [{ quirk: "ping_interval", mode: quirk.mode, detail: what }];
}

/** Which version is spoken: the offered one, or the one that the station's profile assumes where none was offered. */
function subprotocolOf(
  offered: readonly string[],
  record: StationRecord,
): Result<{ subprotocol: ChosenSubprotocol; quirks: QuirkUse[] }, Refusal> {
  const subprotocol = chooseSubprotocol(offered, record.ocppVersions);
  if (subprotocol !== undefined) return ok({ subprotocol, quirks: [] });
  const provisioned = record.ocppVersions.join(", ");
  if (offered.length > 0) {
    const spoken = chooseSubprotocol(offered, OCPP_VERSIONS) !== undefined;
    const detail = spoken
      ? `this charge point is registered for OCPP ${provisioned}`
      : "offer ocpp1.6, ocpp2.0.1 or ocpp2.1";
    return err({
      reason: "no-common-subprotocol",
      detail,
      attempt: { outcome: spoken ? "wrong_version" : "subprotocol_mismatch", detail },
    });
  }
  const quirk = record.quirks?.missing_subprotocol;
  const assumable = quirk !== undefined && record.ocppVersions.includes(quirk.assume);
  if (!assumable || quirk.mode !== "accept")
    return err({
      reason: "no-subprotocol",
      attempt: {
        outcome: "no_subprotocol",
        ...(assumable ? { notes: ["report_only:missing_subprotocol"] } : {}),
      },
    });
  return ok({
    // None was offered, so none is echoed (RFC 6455 §4.2.2).
    subprotocol: { version: quirk.assume, token: "" },
    quirks: [{ quirk: "missing_subprotocol", mode: "accept", detail: `taken for ${quirk.assume}` }],
  });
}
