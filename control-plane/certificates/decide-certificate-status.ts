import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { answered, type Decision, type DecisionStep } from "../decisions/decision.ts";
import type { CertificateHash } from "./ocsp-message.ts";

/** statusInfo of the answers that say no: what a person at the station may read. */
const failed = (reason: string, rest: object = {}): Decision =>
  answered({ status: "Failed", ...rest, statusInfo: { reasonCode: "NotFound", additionalInfo: reason.slice(0, 500) } });

/**
 * GetCertificateStatus (2.x M06): the responder's answer, for the station to pass on to the vehicle, which checks it. Only
 * what is an OCSP answer about that certificate is passed on: the address came from the station.
 */
export const decideCertificateStatus: DecisionStep = async ({ version, action, payloadText }, { certificates }) => {
  const { ocspRequestData } = JSON.parse(payloadText) as {
    ocspRequestData: CertificateHash & { responderURL: string };
  };
  if (certificates?.ocsp === undefined) return failed("no responder is asked here");
  const answer = await certificates.ocsp.ask(ocspRequestData, ocspRequestData.responderURL);
  if (!answer.ok) return failed(answer.error);
  const payload = { status: "Accepted", ocspResult: answer.value.der.toString("base64") };
  return validatePayload(version, action, "response", payload) === undefined
    ? answered(payload)
    : failed("the responder's answer is longer than a charge point takes");
};

interface StatusRequest {
  certificateHashData: CertificateHash;
  source: "OCSP" | "CRL";
  urls: string[];
}

/**
 * GetCertificateChainStatus (2.1 M07): here the word is ours, so a responder is believed when its answer is signed on behalf
 * of the certificate's issuer. What cannot be told, revocation lists among it, is "Failed": the station asks again.
 */
export const decideChainStatus: DecisionStep = async ({ payloadText }, { certificates }) => {
  const { certificateStatusRequests } = JSON.parse(payloadText) as { certificateStatusRequests: StatusRequest[] };
  const certificateStatus = await Promise.all(
    certificateStatusRequests.map(async ({ certificateHashData, source, urls }) => {
      const about = { certificateHashData, source };
      for (const url of source === "OCSP" ? urls.slice(0, 1) : []) {
        const answer = await certificates?.ocsp?.ask(certificateHashData, url);
        if (answer?.ok !== true || !answer.value.isSignedBy(certificates?.roots ?? [])) continue;
        const { status, nextUpdate = new Date() } = answer.value;
        return { ...about, status: WORD[status], nextUpdate: nextUpdate.toISOString() };
      }
      return { ...about, status: "Failed", nextUpdate: new Date().toISOString() };
    }),
  );
  return answered({ certificateStatus });
};

const WORD = { good: "Good", revoked: "Revoked", unknown: "Unknown" } as const;

/** Get15118EVCertificate (2.x M01, M02): the provider of contract certificates answers, if one is configured. */
export const decideContractCertificate: DecisionStep = async ({ version, action, payloadText }, { certificates }) => {
  if (certificates?.contractProvider === undefined)
    return failed("there is no provider of contract certificates", { exiResponse: "" });
  const answer = await certificates.contractProvider.ask(payloadText);
  if (!answer.ok) return failed(answer.error, { exiResponse: "" });
  return validatePayload(version, action, "response", answer.value) === undefined
    ? answered(answer.value)
    : failed("the provider's answer is not one that a charge point takes", { exiResponse: "" });
};
