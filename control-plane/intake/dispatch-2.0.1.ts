import { boot2, heartbeat, status2 } from "./station-steps.ts";
import { logged, type Steps } from "./step.ts";
import { meterValues2, transactionEvent } from "./transaction-steps.ts";

/** What becomes of each message of a 2.0.1 station. */
export const steps201 = {
  Authorize: logged,
  BootNotification: boot2,
  ClearedChargingLimit: logged,
  DataTransfer: logged,
  FirmwareStatusNotification: logged,
  Get15118EVCertificate: logged,
  GetCertificateStatus: logged,
  Heartbeat: heartbeat,
  LogStatusNotification: logged,
  MeterValues: meterValues2,
  NotifyChargingLimit: logged,
  NotifyCustomerInformation: logged,
  NotifyDisplayMessages: logged,
  NotifyEVChargingNeeds: logged,
  NotifyEVChargingSchedule: logged,
  NotifyEvent: logged,
  NotifyMonitoringReport: logged,
  NotifyReport: logged,
  PublishFirmwareStatusNotification: logged,
  ReportChargingProfiles: logged,
  ReservationStatusUpdate: logged,
  SecurityEventNotification: logged,
  SignCertificate: logged,
  StatusNotification: status2,
  TransactionEvent: transactionEvent,
} as const satisfies Steps<"2.0.1">;
