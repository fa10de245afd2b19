import type { StationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { ActionClass } from "./action-class.ts";
import { accepted, byPayload, currentTime, decision, received } from "./edge-answers.ts";

/** Every CALL a 2.0.1 station may send. One that is missing here does not compile. */
export const answers201 = {
  Authorize: decision,
  BootNotification: decision,
  ClearedChargingLimit: received,
  DataTransfer: decision,
  FirmwareStatusNotification: received,
  Get15118EVCertificate: decision,
  GetCertificateStatus: decision,
  Heartbeat: currentTime,
  LogStatusNotification: received,
  MeterValues: received,
  NotifyChargingLimit: received,
  NotifyCustomerInformation: received,
  NotifyDisplayMessages: received,
  NotifyEVChargingNeeds: decision,
  // "Accepted": received and understood, not a judgement of the schedule (2.0.1 Part 2, K17).
  NotifyEVChargingSchedule: accepted,
  NotifyEvent: received,
  NotifyMonitoringReport: received,
  NotifyReport: received,
  PublishFirmwareStatusNotification: received,
  ReportChargingProfiles: received,
  ReservationStatusUpdate: received,
  SecurityEventNotification: received,
  SignCertificate: decision,
  StatusNotification: received,
  TransactionEvent: byPayload,
} as const satisfies Record<StationAction<"2.0.1">, ActionClass>;
