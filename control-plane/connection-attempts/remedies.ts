import { ATTEMPT_OUTCOMES, type ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** What a connection can be found to be: how an attempt ended, and what only more than one fact together tells. */
export const DIAGNOSIS_CODES = [
  ...ATTEMPT_OUTCOMES,
  "never_seen",
  "connected_no_boot",
  "boot_rejected",
  "schema_invalid",
  "identity_duplicated_in_path",
  "disconnected",
] as const;
export type DiagnosisCode = (typeof DIAGNOSIS_CODES)[number];

/** What must stand in the unit for it to connect. */
export interface UnitSettings {
  /** The address of its back end, as it was given at the registration. */
  endpoint: string;
  /** As it was registered. */
  identity: string;
  version: OcppVersion;
  securityProfile: 1 | 2 | 3;
}

interface Finding {
  /** What it is, in a sentence. */
  detail: string;
  /** What to do on site about it; with the unit's own values. Null: nothing. */
  remedy: ((unit: UnitSettings) => string) | null;
}

const host = ({ endpoint }: UnitSettings): string => {
  const { hostname, port, protocol } = new URL(endpoint);
  return `${hostname} on TCP port ${port === "" ? (protocol === "wss:" ? "443" : "80") : port}`;
};
const subprotocol = ({ version }: UnitSettings): string => `ocpp${version}`;
const AGAIN = "Then restart the unit.";

/** What each means to who stands before the unit. One that is missing does not compile. */
const FINDINGS: Record<DiagnosisCode, Finding> = {
  connected: { detail: "The charge point is connected.", remedy: null },
  never_seen: {
    detail: "The charge point has never connected.",
    remedy: (unit) =>
      `In this order: does the unit have power and a link (network cable, or SIM, signal and APN); does it resolve names (DNS); may it open connections to ${host(unit)} (ask the site's IT about firewall and proxy); is its clock right and its firmware current (TLS). Then compare the backend URL in the unit letter by letter with ocpp_endpoint, ${unit.endpoint}, see that it was saved, and restart the unit.`,
  },
  unknown_identity: {
    detail: "The unit connects under an id that is not registered.",
    remedy: (unit) =>
      `Enter ${unit.endpoint} as the backend URL; the id in it is ${unit.identity}. A unit with a field of its own for the charge point id gets ${unit.identity} there and the URL without it. ${AGAIN}`,
  },
  malformed_identity: {
    detail: "The path of the URL that the unit uses holds no usable charge point id.",
    remedy: (unit) =>
      `Enter exactly ${unit.endpoint}: nothing behind it, no blanks, no colon or percent sign in the id. ${AGAIN}`,
  },
  identity_duplicated_in_path: {
    detail: "The unit appends its id to a URL that ends in it already. That is understood here, and does no harm.",
    remedy: (unit) =>
      `Nothing has to be done. To tidy up, enter the URL without the id: ${unit.endpoint.slice(0, unit.endpoint.lastIndexOf("/"))}.`,
  },
  no_subprotocol: {
    detail: "The unit names no OCPP version (Sec-WebSocket-Protocol).",
    remedy: (unit) =>
      `Set the unit's protocol to OCPP ${unit.version} JSON (WebSocket), not SOAP. If it is set so, update its firmware, or ask the CPO for a quirk profile with missing_subprotocol.`,
  },
  subprotocol_mismatch: {
    detail: "None of the OCPP versions that the unit offers is the one it is registered for.",
    remedy: (unit) =>
      `Set the unit to OCPP ${unit.version} JSON (it must offer ${subprotocol(unit)}), or correct ocpp_version of the registration and enter the URL that you get then.`,
  },
  wrong_version: {
    detail: "The unit speaks another OCPP version than it is registered for.",
    remedy: (unit) =>
      `Set the unit to OCPP ${unit.version} JSON, or correct ocpp_version of the registration and enter the URL that you get then.`,
  },
  no_credentials: {
    detail: "The unit sends no user name and password.",
    remedy: (unit) =>
      `Switch HTTP Basic authentication on in the unit (security profile ${unit.securityProfile === 3 ? 1 : unit.securityProfile}); user name ${unit.identity}, password the provisioning_password. Some units take it as AuthorizationKey or BasicAuthPassword. ${AGAIN}`,
  },
  bad_credentials: {
    detail: "The unit sends a wrong user name or password.",
    remedy: (unit) =>
      `Enter the user name ${unit.identity} and the provisioning_password again: mind 0 and O, 1 and l, and blanks at the ends. If it is lost, get a new one with rotate-password. A unit that takes hexadecimal keys only: tell the CPO (quirk profile credential_encoding).`,
  },
  plain_ws: {
    detail: "The unit connects without TLS, and must not.",
    remedy: (unit) =>
      `Use ${unit.endpoint} with wss:// in the unit, and switch TLS on where that is a setting. ${AGAIN}`,
  },
  no_client_certificate: {
    detail: "The unit shows no client certificate, which its security profile 3 asks for.",
    remedy: () =>
      "Install the unit's certificate and switch to security profile 3 in it; a unit that is to work with a password is to be registered for another profile by the CPO.",
  },
  bad_client_certificate: {
    detail: "The unit's client certificate is not accepted: expired, revoked, of another CA, or for another unit.",
    remedy: () =>
      "Check the unit's clock. Install a certificate of the operator's CA whose CN is the unit's serial number and whose O is the operator's name.",
  },
  wrong_security_profile: {
    detail: "The unit uses a lower security profile than it is registered for.",
    remedy: (unit) => `Set the unit to security profile ${unit.securityProfile} and the URL ${unit.endpoint}. ${AGAIN}`,
  },
  tls_error: {
    detail: "The TLS handshake fails.",
    remedy: (unit) =>
      `Set the unit's clock (or NTP): a certificate is not valid in the year 1970. Update the firmware: TLS 1.2 and a current list of root CAs are needed. See that nothing between the unit and ${host(unit)} breaks TLS open.`,
  },
  too_many_attempts: {
    detail: "The unit has failed so often that it is made to wait.",
    remedy: (unit) =>
      `Correct user name (${unit.identity}) and password first, then wait a minute and restart the unit. What failed before is among the attempts.`,
  },
  retired: {
    detail: "This charge point was retired.",
    remedy: () => "Register the unit again and enter the new URL and password.",
  },
  flapping: {
    detail: "The unit connects again and again, and does not stay.",
    remedy: (unit) =>
      `Check signal and cabling, and whether a second unit has the id ${unit.identity} too (a copied configuration). A router that drops quiet connections: set the unit's WebSocket ping interval to 20 to 60 s.`,
  },
  superseded: {
    detail: "A newer connection with the same id and password took this one's place.",
    remedy: (unit) =>
      `When it happens again and again, two units have the id ${unit.identity}: compare the settings of all units on site; each has a URL and a password of its own.`,
  },
  service_unavailable: {
    detail: "The service could not take the connection at that moment.",
    remedy: () => "Nothing is wrong on site: the unit tries again by itself. If it lasts, tell the operator.",
  },
  frame_too_large: {
    detail: "The unit sent a message over the size limit, and was disconnected.",
    remedy: () =>
      "Update the firmware; let it send less at once (fewer measurands in StopTxnSampledData and StopTxnAlignedData, a smaller report). Tell the CPO, who can raise the limit.",
  },
  serial_number_mismatch: {
    detail: "The unit's BootNotification has another serial number than its client certificate.",
    remedy: () => "The certificate belongs to another unit: install this unit's own.",
  },
  connected_no_boot: {
    detail: "The connection is open, and no BootNotification has come.",
    remedy: () =>
      "Restart the unit. If it stays like this, update its firmware; some wait until they were set up at the display or in the maker's app.",
  },
  boot_rejected: {
    detail: "The unit's BootNotification is answered with Rejected.",
    remedy: () => "Nothing can be done on site: the CPO has rejected this unit, and can accept it.",
  },
  schema_invalid: {
    detail: "The unit's messages do not follow the OCPP specification, and are refused.",
    remedy: () =>
      "Update the firmware. The CPO sees the message with its mistake in the message log, and may forgive it with a quirk profile.",
  },
  disconnected: {
    detail: "The charge point was connected before and is not now.",
    remedy: (unit) =>
      `Check power and signal on site, and whether a second unit has the id ${unit.identity}; then restart the charge point.`,
  },
};

/** What it is, in a sentence. */
export const detailOf = (code: DiagnosisCode): string => FINDINGS[code].detail;

/**
 * What the gateway saw of an attempt, as a sentence; none: nothing beside its outcome. Several that are told as one (a wrong
 * user name and a wrong password have one outcome) have only what was seen of the last, and it says so.
 */
export function seenOf({ detail }: Pick<ConnectionAttempt, "detail">, times: number): string[] {
  const text = detail?.trim().replace(/\.$/, "") ?? "";
  if (text === "") return [];
  return [times > 1 ? `The last time: ${text}.` : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`];
}

/** What to do on site, with the unit's own address and id; null: nothing. */
export const remedyFor = (code: DiagnosisCode, unit: UnitSettings): string | null =>
  FINDINGS[code].remedy?.(unit) ?? null;
