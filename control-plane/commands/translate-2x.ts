import { ok } from "@dynamo-csms/proto/result";
import {
  mistake,
  type ParametersOf,
  type Plan,
  powerLimit,
  powerLimitProfileId,
  present,
  type Translations,
} from "./operator-commands.ts";

const call = (action: string, payload: Record<string, unknown>): Plan => ok({ action, payload });

/** The operator's connector is an EVSE here; 0 is the whole station, which is said by leaving it out. */
const availability =
  (operationalStatus: "Operative" | "Inoperative") =>
  (p: ParametersOf<"set_available">): Plan => {
    if (p.connector_id === 0)
      return p.evse_connector_id === undefined
        ? call("ChangeAvailability", { operationalStatus })
        : mistake("evse_connector_id", "needs the EVSE that it is a connector of: connector_id");
    const evse = { id: p.connector_id, ...present({ connectorId: p.evse_connector_id }) };
    return call("ChangeAvailability", { operationalStatus, evse });
  };

const retrying = (p: ParametersOf<"update_firmware"> | ParametersOf<"get_diagnostics">) =>
  present({ retries: p.retries, retryInterval: p.retry_interval_seconds });

/** Operators' commands as OCPP 2.0.1 and 2.1 have them; what is used here is the same in both. */
export const TRANSLATE_2X: Translations = {
  soft_reset: () => call("Reset", { type: "OnIdle" }),
  hard_reset: () => call("Reset", { type: "Immediate" }),
  unlock_connector(p, { evseConnectors = [] }) {
    if (p.evse_connector_id === undefined && evseConnectors.length > 1)
      return mistake(
        "evse_connector_id",
        `EVSE ${p.connector_id} has the connectors ${evseConnectors.join(", ")}: say which one`,
      );
    const connectorId = p.evse_connector_id ?? evseConnectors[0] ?? 1;
    return call("UnlockConnector", { evseId: p.connector_id, connectorId });
  },
  set_available: availability("Operative"),
  set_unavailable: availability("Inoperative"),
  start_session: (p, { requestId }) =>
    call("RequestStartTransaction", {
      remoteStartId: requestId,
      idToken: { idToken: p.id_tag, type: p.id_token_type ?? "Central" },
      ...present({ evseId: p.connector_id }),
    }),
  stop_session: (_p, { transactionId }) =>
    transactionId === undefined
      ? mistake("transaction_id", "`transaction_id` or `session_id` is required")
      : call("RequestStopTransaction", { transactionId }),
  set_power_limit: (p, { now }) =>
    call("SetChargingProfile", {
      evseId: p.connector_id,
      chargingProfile: {
        id: powerLimitProfileId(p.connector_id),
        stackLevel: 0,
        // EVSE 0 is the whole station (K01.FR.38 and the purposes' definitions).
        chargingProfilePurpose: p.connector_id === 0 ? "ChargingStationMaxProfile" : "TxDefaultProfile",
        chargingProfileKind: "Absolute",
        chargingSchedule: [{ id: 1, startSchedule: now.toISOString(), ...powerLimit(p) }],
      },
    }),
  clear_power_limit: (p) => call("ClearChargingProfile", { chargingProfileId: powerLimitProfileId(p.connector_id) }),
  update_firmware(p, { now, requestId }) {
    if ((p.signing_certificate === undefined) !== (p.signature === undefined))
      return mistake("signature", "signing_certificate and signature belong together");
    return call("UpdateFirmware", {
      requestId,
      ...retrying(p),
      firmware: {
        location: p.firmware_url,
        retrieveDateTime: p.retrieve_date ?? now.toISOString(),
        ...present({
          installDateTime: p.install_date,
          signingCertificate: p.signing_certificate,
          signature: p.signature,
        }),
      },
    });
  },
  get_diagnostics: (p, { requestId }) =>
    call("GetLog", {
      logType: p.log === "security" ? "SecurityLog" : "DiagnosticsLog",
      requestId,
      ...retrying(p),
      log: { remoteLocation: p.upload_url, ...present({ oldestTimestamp: p.from, latestTimestamp: p.to }) },
    }),
  send_local_list(p) {
    const full = p.update === "full";
    const removed = p.local_authorization_list.findIndex((entry) => entry.removed === true);
    if (full && removed !== -1)
      return mistake(
        `local_authorization_list/${removed}/removed`,
        "a full list has no entries to be taken out: leave them away",
      );
    const entries = p.local_authorization_list.map((entry) => {
      const type = entry.id_token_type ?? "ISO14443";
      const idToken = { idToken: entry.id_tag, type };
      // Without idTokenInfo the entry is taken out (D01, AuthorizationData).
      if (entry.removed === true) return { idToken };
      const group = entry.parent_id_tag === undefined ? undefined : { idToken: entry.parent_id_tag, type };
      return {
        idToken,
        idTokenInfo: {
          status: entry.status,
          ...present({ cacheExpiryDateTime: entry.expires_at, groupIdToken: group }),
        },
      };
    });
    return call("SendLocalList", {
      versionNumber: p.list_version,
      updateType: full ? "Full" : "Differential",
      // The schema wants at least one entry; an empty list is said by leaving it out (2.x D01).
      ...(entries.length === 0 ? {} : { localAuthorizationList: entries }),
    });
  },
};
