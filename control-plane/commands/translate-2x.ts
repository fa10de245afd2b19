import { powerLimitProfileId, type PlannedCall, type Translations } from "./operator-commands.ts";

/** The operator's connector is an EVSE here; 0 is the whole station, which is said by leaving it out. */
const availability =
  (operationalStatus: "Operative" | "Inoperative") =>
  (p: { connector_id: number }): PlannedCall => ({
    action: "ChangeAvailability",
    payload: { operationalStatus, ...(p.connector_id === 0 ? {} : { evse: { id: p.connector_id } }) },
  });

/** The token came from an operator and not from a card reader (2.x IdTokenEnumType "Central"). */
const central = (idToken: string) => ({ idToken, type: "Central" });

/** Operators' commands as OCPP 2.0.1 and 2.1 have them; what is used here is the same in both. */
export const TRANSLATE_2X: Translations = {
  soft_reset: () => ({ action: "Reset", payload: { type: "OnIdle" } }),
  hard_reset: () => ({ action: "Reset", payload: { type: "Immediate" } }),
  unlock_connector: (p) => ({ action: "UnlockConnector", payload: { evseId: p.connector_id, connectorId: 1 } }),
  set_available: availability("Operative"),
  set_unavailable: availability("Inoperative"),
  start_session: (p, { requestId }) => ({
    action: "RequestStartTransaction",
    payload: {
      remoteStartId: requestId,
      idToken: central(p.id_tag),
      ...(p.connector_id === undefined ? {} : { evseId: p.connector_id }),
    },
  }),
  stop_session: (p) => ({ action: "RequestStopTransaction", payload: { transactionId: String(p.transaction_id) } }),
  set_power_limit: (p, { now }) => ({
    action: "SetChargingProfile",
    payload: {
      evseId: p.connector_id,
      chargingProfile: {
        id: powerLimitProfileId(p.connector_id),
        stackLevel: 0,
        chargingProfilePurpose: p.connector_id === 0 ? "ChargingStationMaxProfile" : "TxDefaultProfile",
        chargingProfileKind: "Absolute",
        chargingSchedule: [
          {
            id: 1,
            startSchedule: now.toISOString(),
            chargingRateUnit: "W",
            chargingSchedulePeriod: [{ startPeriod: 0, limit: p.limit_watts }],
          },
        ],
      },
    },
  }),
  clear_power_limit: (p) => ({
    action: "ClearChargingProfile",
    payload: { chargingProfileId: powerLimitProfileId(p.connector_id) },
  }),
  update_firmware: (p, { now, requestId }) => ({
    action: "UpdateFirmware",
    payload: {
      requestId,
      firmware: { location: p.firmware_url, retrieveDateTime: p.retrieve_date ?? now.toISOString() },
    },
  }),
  get_diagnostics: (p, { requestId }) => ({
    action: "GetLog",
    payload: { logType: "DiagnosticsLog", requestId, log: { remoteLocation: p.upload_url } },
  }),
  send_local_list: (p) => ({
    action: "SendLocalList",
    payload: {
      versionNumber: p.list_version,
      updateType: "Full",
      // The schema wants at least one entry; an empty list is said by leaving it out (2.x D01).
      ...(p.local_authorization_list.length === 0
        ? {}
        : {
            localAuthorizationList: p.local_authorization_list.map((entry) => ({
              idToken: { idToken: entry.id_tag, type: "ISO14443" },
              idTokenInfo: {
                status: entry.status,
                ...(entry.expires_at === undefined ? {} : { cacheExpiryDateTime: entry.expires_at }),
              },
            })),
          }),
    },
  }),
};
