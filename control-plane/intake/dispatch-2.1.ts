import { steps201 } from "./dispatch-2.0.1.ts";
import {
  batterySwap,
  closeStream,
  derAlarm,
  derReport,
  derStartStop,
  openStream,
  priorityCharging,
  streamValues,
} from "./grid-and-tariff-steps.ts";
import { logged, type Steps } from "./step.ts";
import { settlement } from "./transaction-steps.ts";

/** What becomes of each message of a 2.1 station: those of 2.0.1, and its own. */
export const steps21 = {
  ...steps201,
  BatterySwap: batterySwap,
  ClosePeriodicEventStream: closeStream,
  GetCertificateChainStatus: logged,
  NotifyDERAlarm: derAlarm,
  NotifyDERStartStop: derStartStop,
  NotifyPeriodicEventStream: streamValues,
  NotifyPriorityCharging: priorityCharging,
  NotifySettlement: settlement,
  OpenPeriodicEventStream: openStream,
  PullDynamicScheduleUpdate: logged,
  ReportDERControl: derReport,
  VatNumberValidation: logged,
} as const satisfies Steps<"2.1">;
