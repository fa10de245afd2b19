import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { AcceptedBoot } from "../device-model/ask-base-report.ts";
import { type FactOrigin, factsOfEvents, factsOfReport } from "../device-model/read-variables.ts";
import type { ReportPart } from "../device-model/record-reports.ts";
import { itemsOfDisplayMessages } from "../display-messages/display-message-items.ts";
import { itemsOfMonitoringReport } from "../monitoring/monitor-items.ts";
import { eventsOf } from "../monitoring/record-station-events.ts";
import type { BootFacts } from "../stations/boot-facts.ts";
import { readTime } from "../transactions/meter-reading.ts";
import { int4Of } from "../transactions/read-fields.ts";
import type { Effects } from "./effects.ts";
import { asQuarantined, type ReceivedCall, type Step } from "./step.ts";

type Version2 = "2.0.1" | "2.1";

/** Where the facts of a message come from. */
export const originOfCall = ({ station, receivedAt, epoch, seq }: ReceivedCall): FactOrigin => ({
  stationId: station.id,
  receivedAt,
  epoch,
  seq,
});

/** A boot that was answered "Accepted", as the base report is asked by. */
export const acceptedBootOf = (
  { station, version, epoch, seq }: Pick<ReceivedCall, "station" | "version" | "epoch" | "seq">,
  { firmwareVersion }: Pick<BootFacts, "firmwareVersion">,
): AcceptedBoot => ({ stationId: station.id, orgId: station.orgId, version, firmwareVersion, epoch, seq });

/** NotifyReport (P2 B07, B08): one part of a report of variables. */
export const report: Step<RequestPayload<Version2, "NotifyReport">> = (call, effects) => {
  effects.variables.push(...factsOfReport(call.payload, originOfCall(call)));
  addPart(call, effects, "variables");
};

/** NotifyMonitoringReport (P2 N02): one part of a report of monitors. */
export const monitoringReport: Step<RequestPayload<Version2, "NotifyMonitoringReport">> = (call, effects) => {
  effects.items.push(...itemsOfMonitoringReport(call.payload, originOfCall(call)));
  addPart(call, effects, "monitors");
};

function addPart(
  call: ReceivedCall<{ requestId: number; seqNo: number; tbc?: boolean }>,
  effects: Effects,
  kind: ReportPart["kind"],
): void {
  const [requestId, seqNo] = [int4Of(call.payload.requestId), int4Of(call.payload.seqNo)];
  if (requestId === undefined || seqNo === undefined)
    return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.reportParts.push({ ...originOfCall(call), kind, requestId, seqNo, last: call.payload.tbc !== true });
}

/** NotifyEvent (P2 N07): what monitors found, and with it values of variables. */
export const event: Step<RequestPayload<Version2, "NotifyEvent">> = (call, effects) => {
  effects.stationEvents.push(...eventsOf(call.payload, originOfCall(call)));
  effects.variables.push(...factsOfEvents(call.payload, originOfCall(call)));
};

/** NotifyDisplayMessages (P2 O03, O04). */
export const displayMessages: Step<RequestPayload<Version2, "NotifyDisplayMessages">> = (call, effects) =>
  void effects.items.push(...itemsOfDisplayMessages(call.payload, originOfCall(call)));

/** SecurityEventNotification of all versions (WP3 A04; P2 A04). */
export const securityEvent: Step<RequestPayload<"1.6" | Version2, "SecurityEventNotification">> = (call, effects) => {
  const { type, timestamp, techInfo } = call.payload;
  effects.securityEvents.push({
    station: call.station,
    source: "station",
    type,
    techInfo: techInfo ?? null,
    occurredAt: readTime(timestamp),
    receivedAt: call.receivedAt,
    identity: [type, timestamp, techInfo ?? ""],
  });
};
