import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { ParsedIdentity } from "@dynamo-csms/proto/station-identity";
import { passwordMatches, type Peppers } from "@dynamo-csms/proto/station-password";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { isUserOf, parseBasicAuth, type BasicCredentials } from "./basic-auth.ts";
import type { Refusal } from "./refusals.ts";
import type { DirectoryAnswer } from "./station-directory.ts";
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
  /** The station speaks TLS, to us or to a trusted proxy. */
  tls: boolean;
}

/** A station that may connect. */
export interface Admitted {
  identity: ParsedIdentity["identity"];
  record: StationRecord;
  subprotocol: ChosenSubprotocol;
  /** What was forgiven. */
  notes: string[];
}

export interface AdmissionDeps {
  ocppPaths: readonly string[];
  peppers: Peppers;
  findStation(identity: ParsedIdentity["identity"], address: string): Promise<DirectoryAnswer>;
  failedLogins: { exhausted(key: string): boolean; take(key: string): boolean };
}

/** Decides whether a station may connect, before the upgrade. Takes nothing and changes nothing but the count of failures. */
export async function admit(claim: UpgradeClaim, deps: AdmissionDeps): Promise<Result<Admitted, Refusal>> {
  const url = parseStationUrl(claim.path, deps.ocppPaths);
  if (!url.ok) return url;
  const offered = offeredSubprotocols(claim.subprotocols);
  if (offered.length === 0) return err({ reason: "no-subprotocol" });
  if (chooseSubprotocol(offered, OCPP_VERSIONS) === undefined)
    return err({ reason: "no-common-subprotocol", detail: "offer ocpp1.6, ocpp2.0.1 or ocpp2.1" });

  const credentials = parseBasicAuth(claim.authorization);
  // Counted per address and identity: a stranger who guesses does not lock the station out.
  const attempt = `${claim.remoteAddress} ${url.value.identity}`;
  if (deps.failedLogins.exhausted(attempt)) return err({ reason: "too-many-attempts" });

  const answer = await deps.findStation(url.value.identity, claim.remoteAddress);
  if (answer.kind === "limited") return err({ reason: "too-many-attempts" });
  if (answer.kind === "away") return err({ reason: answer.what === "storage" ? "storage-away" : "control-plane-away" });
  const record = answer.kind === "found" ? answer.record : undefined;
  if (!isAuthentic(url.value, credentials, record, deps.peppers) || record === undefined) {
    deps.failedLogins.take(attempt);
    return err({ reason: "bad-credentials" });
  }
  return decide(claim, url.value, offered, record);
}

/** True when password and user name are the station's. Costs the same for an unknown station. */
function isAuthentic(
  url: StationUrl,
  credentials: BasicCredentials | undefined,
  record: StationRecord | undefined,
  peppers: Peppers,
): boolean {
  const matches = passwordMatches(credentials?.password ?? Buffer.alloc(0), record?.verifiers ?? [], peppers);
  return matches && credentials !== undefined && isUserOf(credentials.username, url.identity);
}

/** The part that only an authenticated station learns the outcome of. */
function decide(
  claim: UpgradeClaim,
  url: StationUrl,
  offered: readonly string[],
  record: StationRecord,
): Result<Admitted, Refusal> {
  if (record.retired) return err({ reason: "retired" });
  if (record.securityProfile === 3) return err({ reason: "client-certificate-required" });
  if (record.securityProfile === 2 && !claim.tls) return err({ reason: "tls-required" });
  const subprotocol = chooseSubprotocol(offered, record.ocppVersions);
  if (subprotocol === undefined) {
    const provisioned = record.ocppVersions.join(", ");
    return err({ reason: "no-common-subprotocol", detail: `this charge point is registered for OCPP ${provisioned}` });
  }
  const differs = url.versionInPath !== undefined && url.versionInPath !== subprotocol.version;
  const notes = [...url.notes, ...(differs ? ["version-in-path-differs"] : [])];
  return ok({ identity: url.identity, record, subprotocol, notes });
}
