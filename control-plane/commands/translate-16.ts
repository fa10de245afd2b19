import { powerLimitProfileId, type PlannedCall, type Translations } from "./operator-commands.ts";

const availability =
  (type: "Operative" | "Inoperative") =>
  (p: { connector_id: number }): PlannedCall => ({
    action: "ChangeAvailability",
    payload: { connectorId: p.connector_id, type },
  });

/** Operators' commands as OCPP 1.6 edition 2 has them (chapter 5, operations initiated by the Central System). */
export const TRANSLATE_16: Translations = {
  soft_reset: () => ({ action: "Reset", payload: { type: "Soft" } }),
  hard_reset: () => ({ action: "Reset", payload: { type: "Hard" } }),
  unlock_connector: (p) => ({ action: "UnlockConnector", payload: { connectorId: p.connector_id } }),
  set_available: availability("Operative"),
  set_unavailable: availability("Inoperative"),
  start_session: (p) => ({
    action: "RemoteStartTransaction",
    payload: { idTag: p.id_tag, ...(p.connector_id === undefined ? {} : { connectorId: p.connector_id }) },
  }),
  // A text that is no number stays one, and is refused by the schema with its place.
  stop_session: (p) => ({
    action: "RemoteStopTransaction",
    payload: { transactionId: /^\d+$/.test(String(p.transaction_id)) ? Number(p.transaction_id) : p.transaction_id },
  }),
  set_power_limit: (p, { now }) => ({
    action: "SetChargingProfile",
    payload: {
      connectorId: p.connector_id,
      csChargingProfiles: {
        chargingProfileId: powerLimitProfileId(p.connector_id),
        stackLevel: 0,
        // Connector 0 is the whole charge point, which knows no other purpose (§3.13).
        chargingProfilePurpose: p.connector_id === 0 ? "ChargePointMaxProfile" : "TxDefaultProfile",
        chargingProfileKind: "Absolute",
        chargingSchedule: {
          startSchedule: now.toISOString(),
          chargingRateUnit: "W",
          chargingSchedulePeriod: [{ startPeriod: 0, limit: p.limit_watts }],
        },
      },
    },
  }),
  clear_power_limit: (p) => ({ action: "ClearChargingProfile", payload: { id: powerLimitProfileId(p.connector_id) } }),
  update_firmware: (p, { now }) => ({
    action: "UpdateFirmware",
    payload: { location: p.firmware_url, retrieveDate: p.retrieve_date ?? now.toISOString() },
  }),
  get_diagnostics: (p) => ({ action: "GetDiagnostics", payload: { location: p.upload_url } }),
  send_local_list: (p) => ({
    action: "SendLocalList",
    payload: {
      listVersion: p.list_version,
      updateType: "Full",
      localAuthorizationList: p.local_authorization_list.map((entry) => ({
        idTag: entry.id_tag,
        idTagInfo: {
          status: entry.status,
          ...(entry.expires_at === undefined ? {} : { expiryDate: entry.expires_at }),
        },
      })),
    },
  }),
};
