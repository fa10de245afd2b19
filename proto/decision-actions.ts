import type { OcppVersion } from "./ocpp-version.ts";

/**
 * The CALLs of a station that the gateway asks the control plane about: the contract between the table of the one and
 * that of the other, which a test on each side holds to it. One that only the gateway knows would be refused as not
 * supported. Of TransactionEvent it depends on the payload.
 */
export const DECISION_ACTIONS = {
  "1.6": ["Authorize", "BootNotification", "DataTransfer", "SignCertificate", "StartTransaction", "StopTransaction"],
  "2.0.1": [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "Get15118EVCertificate",
    "GetCertificateStatus",
    "NotifyEVChargingNeeds",
    "SignCertificate",
    "TransactionEvent",
  ],
  "2.1": [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "Get15118EVCertificate",
    "GetCertificateChainStatus",
    "GetCertificateStatus",
    "NotifyEVChargingNeeds",
    "SignCertificate",
    "TransactionEvent",
    "VatNumberValidation",
  ],
} as const satisfies Record<OcppVersion, readonly string[]>;

export type DecisionAction<V extends OcppVersion> = (typeof DECISION_ACTIONS)[V][number];
