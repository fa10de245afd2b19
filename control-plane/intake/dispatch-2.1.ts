import { steps201 } from "./dispatch-2.0.1.ts";
import { logged, type Steps } from "./step.ts";

/** What becomes of each message of a 2.1 station: those of 2.0.1, and its own. */
export const steps21 = {
  ...steps201,
  BatterySwap: logged,
  ClosePeriodicEventStream: logged,
  GetCertificateChainStatus: logged,
  NotifyDERAlarm: logged,
  NotifyDERStartStop: logged,
  NotifyPeriodicEventStream: logged,
  NotifyPriorityCharging: logged,
  NotifySettlement: logged,
  OpenPeriodicEventStream: logged,
  PullDynamicScheduleUpdate: logged,
  ReportDERControl: logged,
  VatNumberValidation: logged,
} as const satisfies Steps<"2.1">;
