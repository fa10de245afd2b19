import { boot16, heartbeat, status16 } from "./station-steps.ts";
import { logged, type Steps } from "./step.ts";
import { meterValues16, start16, stop16 } from "./transaction-steps.ts";

/** What becomes of each message of a 1.6 station (security extension included). */
export const steps16 = {
  Authorize: logged,
  BootNotification: boot16,
  DataTransfer: logged,
  DiagnosticsStatusNotification: logged,
  FirmwareStatusNotification: logged,
  Heartbeat: heartbeat,
  LogStatusNotification: logged,
  MeterValues: meterValues16,
  SecurityEventNotification: logged,
  SignCertificate: logged,
  SignedFirmwareStatusNotification: logged,
  StartTransaction: start16,
  StatusNotification: status16,
  StopTransaction: stop16,
} as const satisfies Steps<"1.6">;
