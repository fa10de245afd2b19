import {
  chargingLimit,
  chargingProfiles,
  clearedLimit,
  reservationStatus,
  transferStatus,
  vehicle,
} from "./charge-point-setting-steps.ts";
import { dataTransfer } from "./data-transfer-steps.ts";
import { displayMessages, event, monitoringReport, report, securityEvent } from "./device-model-steps.ts";
import { signCertificate } from "./security-steps.ts";
import { boot2, heartbeat, status2 } from "./station-steps.ts";
import { logged, type Steps } from "./step.ts";
import { authorize, meterValues2, transactionEvent } from "./transaction-steps.ts";

/** What becomes of each message of a 2.0.1 station. */
export const steps201 = {
  Authorize: authorize,
  BootNotification: boot2,
  ClearedChargingLimit: clearedLimit,
  DataTransfer: dataTransfer,
  FirmwareStatusNotification: transferStatus("FirmwareStatusNotification"),
  Get15118EVCertificate: logged,
  GetCertificateStatus: logged,
  Heartbeat: heartbeat,
  LogStatusNotification: transferStatus("LogStatusNotification"),
  MeterValues: meterValues2,
  NotifyChargingLimit: chargingLimit,
  // Personal data: kept in one place, the message log, with its retention and erasure.
  NotifyCustomerInformation: logged,
  NotifyDisplayMessages: displayMessages,
  NotifyEVChargingNeeds: vehicle("ev_needs"),
  NotifyEVChargingSchedule: vehicle("ev_schedule"),
  NotifyEvent: event,
  NotifyMonitoringReport: monitoringReport,
  NotifyReport: report,
  PublishFirmwareStatusNotification: transferStatus("PublishFirmwareStatusNotification"),
  ReportChargingProfiles: chargingProfiles,
  ReservationStatusUpdate: reservationStatus,
  SecurityEventNotification: securityEvent,
  SignCertificate: signCertificate,
  StatusNotification: status2,
  TransactionEvent: transactionEvent,
} as const satisfies Steps<"2.0.1">;
