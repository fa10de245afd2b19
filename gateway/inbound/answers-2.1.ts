import type { StationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { ActionClass } from "./action-class.ts";
import { answers201 } from "./answers-2.0.1.ts";
import { accepted, decision, received, rejected, unanswered } from "./edge-answers.ts";

/** Every CALL and SEND of a 2.1 station: those of 2.0.1, and its own. One that is missing here does not compile. */
export const answers21 = {
  ...answers201,
  BatterySwap: received,
  ClosePeriodicEventStream: received,
  GetCertificateChainStatus: decision,
  NotifyDERAlarm: received,
  NotifyDERStartStop: received,
  NotifyPeriodicEventStream: unanswered,
  NotifyPriorityCharging: received,
  NotifySettlement: received,
  OpenPeriodicEventStream: accepted,
  // No schedule of ours is dynamic.
  PullDynamicScheduleUpdate: rejected,
  ReportDERControl: received,
  VatNumberValidation: decision,
} as const satisfies Record<StationAction<"2.1">, ActionClass>;
