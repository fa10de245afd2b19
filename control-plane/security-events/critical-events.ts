/**
 * Events that a person must hear of (P2 appendix 1, "critical"; WP3 §4). A station must queue and push these, so each
 * arrives; all others are kept as well.
 */
const CRITICAL: ReadonlySet<string> = new Set([
  "FirmwareUpdated",
  "InvalidCentralSystemCertificate",
  "InvalidChargePointCertificate",
  "InvalidChargingStationCertificate",
  "InvalidCsmsCertificate",
  "InvalidFirmwareSignature",
  "InvalidFirmwareSigningCertificate",
  "InvalidTLSCipherSuite",
  "InvalidTLSVersion",
  "MaintenanceLoginAccepted",
  "MaintenanceLoginFailed",
  "MemoryExhaustion",
  "ResetOrReboot",
  "SecurityLogWasCleared",
  "SettingSystemTime",
  "StartupOfTheDevice",
  "TamperDetectionActivated",
  // What the gateway itself notices.
  "StationIdentityContested",
]);

/** Whether an event of this type is pushed to the organisation. Types of vendors are kept and not pushed. */
export const isCritical = (type: string): boolean => CRITICAL.has(type);
