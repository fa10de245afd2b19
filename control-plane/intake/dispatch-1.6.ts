import { transferStatus } from "./charge-point-setting-steps.ts";
import { dataTransfer } from "./data-transfer-steps.ts";
import { securityEvent } from "./device-model-steps.ts";
import { signCertificate } from "./security-steps.ts";
import { boot16, heartbeat, status16 } from "./station-steps.ts";
import type { Steps } from "./step.ts";
import { authorize, meterValues16, start16, stop16 } from "./transaction-steps.ts";

/** What becomes of each message of a 1.6 station (security extension included). */
export const steps16 = {
  Authorize: authorize,
  BootNotification: boot16,
  DataTransfer: dataTransfer,
  DiagnosticsStatusNotification: transferStatus("DiagnosticsStatusNotification"),
  FirmwareStatusNotification: transferStatus("FirmwareStatusNotification"),
  Heartbeat: heartbeat,
  LogStatusNotification: transferStatus("LogStatusNotification"),
  MeterValues: meterValues16,
  SecurityEventNotification: securityEvent,
  SignCertificate: signCertificate,
  SignedFirmwareStatusNotification: transferStatus("SignedFirmwareStatusNotification"),
  StartTransaction: start16,
  StatusNotification: status16,
  StopTransaction: stop16,
} as const satisfies Steps<"1.6">;
