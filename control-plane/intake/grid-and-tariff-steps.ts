import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { itemsOfDerReport, itemsOfDerStartStop } from "../der-control/der-control-items.ts";
import { itemOfClosedStream, itemOfOpenedStream, itemOfStreamValues } from "../event-streams/event-stream-items.ts";
import type { NoticeKind } from "../station-notices/record-notices.ts";
import { originOfCall } from "./device-model-steps.ts";
import type { Effects } from "./effects.ts";
import type { ReceivedCall, Step } from "./step.ts";

// What only 2.1 has.

function addNotice(call: ReceivedCall, effects: Effects, kind: NoticeKind, data: object, eachIsNew = false): void {
  const { customData: _, ...own } = data as { customData?: unknown };
  effects.notices.push({ ...originOfCall(call), kind, data: own, eachIsNew });
}

/** BatterySwap (S01 to S03). Whose token it was stays out of the notice: the message log has it, for as long as it may. */
export const batterySwap: Step<RequestPayload<"2.1", "BatterySwap">> = (call, effects) => {
  const { idToken: _, ...swap } = call.payload;
  addNotice(call, effects, "battery_swap", swap);
};

/** NotifyDERAlarm (R02). */
export const derAlarm: Step<RequestPayload<"2.1", "NotifyDERAlarm">> = (call, effects) =>
  addNotice(call, effects, "der_alarm", call.payload);

/** NotifyDERStartStop (R02). */
export const derStartStop: Step<RequestPayload<"2.1", "NotifyDERStartStop">> = (call, effects) => {
  addNotice(call, effects, "der_start_stop", call.payload);
  effects.items.push(...itemsOfDerStartStop(call.payload, originOfCall(call)));
};

/** ReportDERControl (R04): one message of the answer to a GetDERControl. */
export const derReport: Step<RequestPayload<"2.1", "ReportDERControl">> = (call, effects) =>
  void effects.items.push(...itemsOfDerReport(call.payload, originOfCall(call)));

/** OpenPeriodicEventStream (N11). */
export const openStream: Step<RequestPayload<"2.1", "OpenPeriodicEventStream">> = (call, effects) =>
  void effects.items.push(itemOfOpenedStream(call.payload, originOfCall(call)));

/** ClosePeriodicEventStream (N12). */
export const closeStream: Step<RequestPayload<"2.1", "ClosePeriodicEventStream">> = (call, effects) =>
  void effects.items.push(itemOfClosedStream(call.payload, originOfCall(call)));

/** NotifyPeriodicEventStream (N11), a SEND: values. */
export const streamValues: Step<RequestPayload<"2.1", "NotifyPeriodicEventStream">> = (call, effects) =>
  void effects.items.push(itemOfStreamValues(call.payload, originOfCall(call)));

/** NotifyPriorityCharging (K22): it has no time and may come and go, so each message is one. */
export const priorityCharging: Step<RequestPayload<"2.1", "NotifyPriorityCharging">> = (call, effects) =>
  addNotice(call, effects, "priority_charging", call.payload, true);
