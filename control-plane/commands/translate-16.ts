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

const NO_EVSES = "OCPP 1.6 has no EVSEs: connector_id says it all";
const NO_TYPES = "OCPP 1.6 has no token types";

const call = (action: string, payload: Record<string, unknown>): Plan => ok({ action, payload });

const availability =
  (type: "Operative" | "Inoperative") =>
  (p: ParametersOf<"set_available">): Plan =>
    p.evse_connector_id === undefined
      ? call("ChangeAvailability", { connectorId: p.connector_id, type })
      : mistake("evse_connector_id", NO_EVSES);

/**
 * Operators' commands as OCPP 1.6 edition 2 has them (chapter 5, operations initiated by the Central System), signed
 * firmware and the security log as the security whitepaper edition 3 has them.
 */
export const TRANSLATE_16: Translations = {
  soft_reset: () => call("Reset", { type: "Soft" }),
  hard_reset: () => call("Reset", { type: "Hard" }),
  unlock_connector: (p) =>
    p.evse_connector_id === undefined
      ? call("UnlockConnector", { connectorId: p.connector_id })
      : mistake("evse_connector_id", NO_EVSES),
  set_available: availability("Operative"),
  set_unavailable: availability("Inoperative"),
  start_session(p) {
    if (p.id_token_type !== undefined) return mistake("id_token_type", NO_TYPES);
    if (p.id_tag.length > 20) return mistake("id_tag", "an idTag of OCPP 1.6 has at most 20 characters");
    return call("RemoteStartTransaction", { ...present({ connectorId: p.connector_id }), idTag: p.id_tag });
  },
  stop_session: (_p, { transactionId = "" }) =>
    /^\d{1,10}$/.test(transactionId)
      ? call("RemoteStopTransaction", { transactionId: Number(transactionId) })
      : mistake("transaction_id", "a transactionId of OCPP 1.6 is a number"),
  set_power_limit: (p, { now }) =>
    call("SetChargingProfile", {
      connectorId: p.connector_id,
      csChargingProfiles: {
        chargingProfileId: powerLimitProfileId(p.connector_id),
        stackLevel: 0,
        // Connector 0 is the whole charge point, which knows no other purpose (§3.13).
        chargingProfilePurpose: p.connector_id === 0 ? "ChargePointMaxProfile" : "TxDefaultProfile",
        chargingProfileKind: "Absolute",
        chargingSchedule: { startSchedule: now.toISOString(), ...powerLimit(p) },
      },
    }),
  // By id alone: with an id the other fields count for nothing (§6.9).
  clear_power_limit: (p) => call("ClearChargingProfile", { id: powerLimitProfileId(p.connector_id) }),
  update_firmware(p, { now, requestId }) {
    const retrieve = p.retrieve_date ?? now.toISOString();
    const retrying = present({ retries: p.retries, retryInterval: p.retry_interval_seconds });
    if (p.signing_certificate === undefined || p.signature === undefined) {
      if (p.signing_certificate !== undefined || p.signature !== undefined)
        return mistake("signature", "signing_certificate and signature belong together");
      if (p.install_date !== undefined)
        return mistake(
          "install_date",
          "a plain update of OCPP 1.6 is installed when it is there; a signed one has a date",
        );
      return call("UpdateFirmware", { location: p.firmware_url, retrieveDate: retrieve, ...retrying });
    }
    return call("SignedUpdateFirmware", {
      requestId,
      ...retrying,
      firmware: {
        location: p.firmware_url,
        retrieveDateTime: retrieve,
        ...present({ installDateTime: p.install_date }),
        signingCertificate: p.signing_certificate,
        signature: p.signature,
      },
    });
  },
  get_diagnostics(p, { requestId }) {
    const retrying = present({ retries: p.retries, retryInterval: p.retry_interval_seconds });
    if (p.log === "diagnostics")
      return call("GetDiagnostics", {
        location: p.upload_url,
        ...retrying,
        ...present({ startTime: p.from, stopTime: p.to }),
      });
    return call("GetLog", {
      logType: "SecurityLog",
      requestId,
      ...retrying,
      log: { remoteLocation: p.upload_url, ...present({ oldestTimestamp: p.from, latestTimestamp: p.to }) },
    });
  },
  send_local_list(p) {
    const full = p.update === "full";
    for (const [index, entry] of p.local_authorization_list.entries()) {
      const at = `local_authorization_list/${index}`;
      if (entry.id_token_type !== undefined) return mistake(`${at}/id_token_type`, NO_TYPES);
      if (entry.id_tag.length > 20) return mistake(`${at}/id_tag`, "an idTag of OCPP 1.6 has at most 20 characters");
      if ((entry.parent_id_tag?.length ?? 0) > 20)
        return mistake(`${at}/parent_id_tag`, "an idTag of OCPP 1.6 has at most 20 characters");
      if (full && entry.removed === true)
        return mistake(`${at}/removed`, "a full list has no entries to be taken out: leave them away");
    }
    return call("SendLocalList", {
      listVersion: p.list_version,
      updateType: full ? "Full" : "Differential",
      localAuthorizationList: p.local_authorization_list.map((entry) => ({
        idTag: entry.id_tag,
        // Without idTagInfo the entry is taken out (§5.15).
        ...(entry.removed === true
          ? {}
          : {
              idTagInfo: {
                status: entry.status,
                ...present({ expiryDate: entry.expires_at, parentIdTag: entry.parent_id_tag }),
              },
            }),
      })),
    });
  },
};
