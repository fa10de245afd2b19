import type { StationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { ActionClass } from "./action-class.ts";
import { currentTime, decision, received } from "./edge-answers.ts";

/** Every CALL a 1.6 station may send (security extension included). One that is missing here does not compile. */
export const answers16 = {
  Authorize: decision,
  BootNotification: decision,
  DataTransfer: decision,
  DiagnosticsStatusNotification: received,
  FirmwareStatusNotification: received,
  Heartbeat: currentTime,
  LogStatusNotification: received,
  MeterValues: received,
  SecurityEventNotification: received,
  SignCertificate: decision,
  SignedFirmwareStatusNotification: received,
  StartTransaction: decision,
  StatusNotification: received,
  StopTransaction: decision,
} as const satisfies Record<StationAction<"1.6">, ActionClass>;
