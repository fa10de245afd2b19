import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { storableJson, storableText } from "../message-log/storable-text.ts";
import { type BootFacts, bootFacts16, bootFacts2 } from "../stations/boot-facts.ts";
import { readTime } from "../transactions/meter-reading.ts";
import { int4Of } from "../transactions/read-fields.ts";
import { acceptedBootOf } from "./device-model-steps.ts";
import type { Effects } from "./effects.ts";
import { asQuarantined, type ReceivedCall, type Step } from "./step.ts";

const text = (value: string | undefined): string | null => (value === undefined ? null : storableText(value));

/** Heartbeat, all versions. */
export const heartbeat: Step = (call, effects) => effects.heard(call.station, call.receivedAt.getTime());

/** BootNotification of 1.6 (C16 §4.2). */
export const boot16: Step<RequestPayload<"1.6", "BootNotification">> = (call, effects) =>
  addBoot(call, effects, bootFacts16(call.payload));

/** BootNotification of 2.x (P2 B01). */
export const boot2: Step<RequestPayload<"2.0.1" | "2.1", "BootNotification">> = (call, effects) =>
  addBoot(call, effects, bootFacts2(call.payload));

function addBoot(call: ReceivedCall, effects: Effects, facts: BootFacts): void {
  const { epoch, seq, receivedAt } = call;
  effects.boots.push({
    stationId: call.station.id,
    epoch,
    seq,
    bootedAt: receivedAt,
    payload: storableJson(call.payloadText),
    ...facts,
  });
  if (call.answer !== undefined && (call.answer as { status?: unknown }).status === "Accepted") {
    effects.accepted.add(call.station.id);
    effects.acceptedBoots.push(acceptedBootOf(call, facts));
  }
}

/** StatusNotification of 1.6 (C16 §4.9): connector 0 is the whole station. */
export const status16: Step<RequestPayload<"1.6", "StatusNotification">> = (call, effects) => {
  const { payload, station, epoch, seq, receivedAt } = call;
  const connectorId = int4Of(payload.connectorId);
  if (connectorId === undefined) return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.statuses.push({
    station,
    epoch,
    seq,
    receivedAt,
    evseId: 0,
    connectorId,
    status: payload.status,
    errorCode: payload.errorCode,
    info: text(payload.info),
    vendorErrorCode: text(payload.vendorErrorCode),
    reportedAt: readTime(payload.timestamp),
  });
};

/** StatusNotification of 2.x (P2 G01). */
export const status2: Step<RequestPayload<"2.0.1" | "2.1", "StatusNotification">> = (call, effects) => {
  const { payload, station, epoch, seq, receivedAt } = call;
  const evseId = int4Of(payload.evseId);
  const connectorId = int4Of(payload.connectorId);
  if (evseId === undefined || connectorId === undefined)
    return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.statuses.push({
    station,
    epoch,
    seq,
    receivedAt,
    evseId,
    connectorId,
    status: payload.connectorStatus,
    errorCode: null,
    info: null,
    vendorErrorCode: null,
    reportedAt: readTime(payload.timestamp),
  });
};
