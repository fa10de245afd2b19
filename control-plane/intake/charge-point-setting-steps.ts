import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { TransferNotification } from "../firmware/transfer-status.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { int4Of, isObject, textOf } from "../transactions/read-fields.ts";
import type { Effects } from "./effects.ts";
import { asQuarantined, type ReceivedCall, type Step } from "./step.ts";

// What stations say of what commands set up in them: firmware and log jobs, charging profiles and limits, reservations.

type V2 = "2.0.1" | "2.1";

/** Where and when the message stands. */
const placeOf = ({ station, epoch, seq, receivedAt }: ReceivedCall) => ({
  stationId: station.id,
  epoch,
  seq,
  receivedAt,
});

const cannotBeRead = (call: ReceivedCall, effects: Effects): void =>
  void effects.quarantined.push(asQuarantined(call, "cannot be read"));

/** A status notification of a firmware update, a publication or an upload. */
export const transferStatus =
  (notification: TransferNotification): Step<{ status: string; requestId?: number }> =>
  (call, effects) =>
    void effects.transferReports.push({
      ...placeOf(call),
      notification,
      requestId: call.payload.requestId,
      status: call.payload.status,
    });

/** NotifyChargingLimit (2.x K12): of the whole station without an evseId. */
export const chargingLimit: Step<RequestPayload<V2, "NotifyChargingLimit">> = (call, effects) => {
  const evseId = int4Of(call.payload.evseId ?? 0);
  if (evseId === undefined) return cannotBeRead(call, effects);
  effects.chargingReports.push({
    ...placeOf(call),
    evseId,
    kind: "limit",
    limitSource: call.payload.chargingLimit.chargingLimitSource,
    payload: storableJson(call.payloadText),
  });
};

/** ClearedChargingLimit (2.x K13). */
export const clearedLimit: Step<RequestPayload<V2, "ClearedChargingLimit">> = (call, effects) => {
  const evseId = int4Of(call.payload.evseId ?? 0);
  if (evseId === undefined) return cannotBeRead(call, effects);
  effects.chargingReports.push({
    ...placeOf(call),
    evseId,
    kind: "limit",
    limitSource: call.payload.chargingLimitSource,
    payload: undefined,
  });
};

/** NotifyEVChargingNeeds and NotifyEVChargingSchedule (2.x K15): the vehicle at an EVSE. */
export const vehicle =
  (kind: "ev_needs" | "ev_schedule"): Step<{ evseId: number }> =>
  (call, effects) => {
    const evseId = int4Of(call.payload.evseId);
    if (evseId === undefined) return cannotBeRead(call, effects);
    effects.chargingReports.push({
      ...placeOf(call),
      evseId,
      kind,
      limitSource: "",
      payload: storableJson(call.payloadText),
    });
  };

/** ReportChargingProfiles (2.x K09): one part of the answer to GetChargingProfiles. */
export const chargingProfiles: Step<RequestPayload<V2, "ReportChargingProfiles">> = (call, effects) => {
  const { requestId, chargingLimitSource, evseId, chargingProfile, tbc } = call.payload;
  const evse = int4Of(evseId);
  if (evse === undefined) return cannotBeRead(call, effects);
  effects.profileReports.push({
    ...placeOf(call),
    requestId,
    evseId: evse,
    limitSource: chargingLimitSource,
    profiles: chargingProfile,
    last: tbc !== true,
  });
};

/** ReservationStatusUpdate (2.x H04). */
export const reservationStatus: Step<RequestPayload<V2, "ReservationStatusUpdate">> = (call, effects) => {
  const { reservationId, reservationUpdateStatus } = call.payload;
  const state = reservationUpdateStatus === "Expired" ? "expired" : "removed";
  effects.reservations.push({ ...placeOf(call), reservationId, state, transactionId: undefined });
};

/**
 * A transaction that names a reservation has used it (1.6 StartTransaction §4.8, 2.x TransactionEvent). Beside the step of
 * the message itself, for what transactions are is decided there.
 */
export function noteReservationUse(call: ReceivedCall, effects: Effects): void {
  if (call.action !== "StartTransaction" && call.action !== "TransactionEvent") return;
  const payload = isObject(call.payload) ? call.payload : {};
  const reservationId = int4Of(payload["reservationId"]);
  if (reservationId === undefined) return;
  const info = isObject(payload["transactionInfo"]) ? payload["transactionInfo"] : {};
  const answer = isObject(call.answer) ? call.answer : {};
  const transactionId = textOf(info["transactionId"] ?? answer["transactionId"]);
  effects.reservations.push({ ...placeOf(call), reservationId, state: "used", transactionId });
}
