import type { DecisionAction } from "@dynamo-csms/proto/decision-actions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import {
  decideCertificateStatus,
  decideChainStatus,
  decideContractCertificate,
} from "../certificates/decide-certificate-status.ts";
import { decideSignCertificate } from "../certificates/decide-sign-certificate.ts";
import { decideDataTransfer } from "../data-transfer/decide-data-transfer.ts";
import { decideAuthorize16, decideAuthorize2 } from "./decide-authorize.ts";
import { decideBoot } from "./decide-boot.ts";
import { decideTransactionEvent } from "./decide-transaction-event.ts";
import { decideStart, decideStop } from "./decide-transaction.ts";
import type { DecisionStep, SharedStep } from "./decision.ts";
import { notSupported, noVatRegister, rejected } from "./refusals.ts";

/** The CALLs of 1.6 that the gateways do not answer by themselves. One that is missing does not compile. */
const decisions16 = {
  Authorize: decideAuthorize16,
  BootNotification: decideBoot,
  DataTransfer: decideDataTransfer,
  SignCertificate: decideSignCertificate,
  StartTransaction: decideStart,
  StopTransaction: decideStop,
} as const satisfies Record<DecisionAction<"1.6">, DecisionStep | SharedStep>;

/** The same of 2.0.1. */
const decisions201 = {
  Authorize: decideAuthorize2,
  BootNotification: decideBoot,
  DataTransfer: decideDataTransfer,
  Get15118EVCertificate: decideContractCertificate,
  GetCertificateStatus: decideCertificateStatus,
  NotifyEVChargingNeeds: rejected,
  SignCertificate: decideSignCertificate,
  TransactionEvent: decideTransactionEvent,
} as const satisfies Record<DecisionAction<"2.0.1">, DecisionStep | SharedStep>;

/** The same of 2.1. */
const decisions21 = {
  ...decisions201,
  GetCertificateChainStatus: decideChainStatus,
  VatNumberValidation: noVatRegister,
} as const satisfies Record<DecisionAction<"2.1">, DecisionStep | SharedStep>;

// Maps, because action names come from the wire.
const STEPS: Record<OcppVersion, ReadonlyMap<string, DecisionStep | SharedStep>> = {
  "1.6": new Map(Object.entries(decisions16)),
  "2.0.1": new Map(Object.entries(decisions201)),
  "2.1": new Map(Object.entries(decisions21)),
};

/** Who decides an action of a version. One that a newer gateway asks about and this build does not decide is refused as not supported. */
export const decisionStepFor = (version: OcppVersion, action: string): DecisionStep | SharedStep =>
  STEPS[version].get(action) ?? notSupported;
