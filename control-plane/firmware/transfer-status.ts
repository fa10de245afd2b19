export type TransferKind = "firmware" | "publish" | "log";

/** Which job each command of ours starts (1.6 §6.19, §6.21, whitepaper §5; 2.x L01, L03, N01). */
export const JOB_OF_ACTION: ReadonlyMap<string, TransferKind> = new Map([
  ["UpdateFirmware", "firmware"],
  ["SignedUpdateFirmware", "firmware"],
  ["PublishFirmware", "publish"],
  ["GetDiagnostics", "log"],
  ["GetLog", "log"],
]);

/** The command whose progress a notification of this action tells. */
export const ACTION_OF_NOTIFICATION = {
  FirmwareStatusNotification: "UpdateFirmware",
  SignedFirmwareStatusNotification: "SignedUpdateFirmware",
  PublishFirmwareStatusNotification: "PublishFirmware",
  DiagnosticsStatusNotification: "GetDiagnostics",
  LogStatusNotification: "GetLog",
} as const;
export type TransferNotification = keyof typeof ACTION_OF_NOTIFICATION;

/** Statuses of a job that is done. */
const SUCCEEDED: ReadonlySet<string> = new Set(["Installed", "Published", "Uploaded"]);
/** Statuses of one that came to nothing. */
const FAILED: ReadonlySet<string> = new Set([
  // Firmware
  "DownloadFailed",
  "InstallationFailed",
  "InstallVerificationFailed",
  "InvalidSignature",
  // Published firmware
  "PublishFailed",
  "InvalidChecksum",
  // Logs and diagnostics
  "BadMessage",
  "NotSupportedOperation",
  "PermissionDenied",
  "UploadFailure",
  "UploadFailed",
  // A newer request of ours took its place
  "AcceptedCanceled",
  // Ours: the charge point had nothing to upload
  "NothingToUpload",
]);

/** What a status says of its job. */
export const outcomeOf = (status: string): "succeeded" | "failed" | "running" =>
  SUCCEEDED.has(status) ? "succeeded" : FAILED.has(status) ? "failed" : "running";

/** A station that does nothing says so when it is asked: no word on any job. */
export const saysNothing = (status: string): boolean => status === "Idle";
