import { answered, type DecisionStep } from "./decision.ts";

// What we cannot do yet is said so, in the words that each message has for it: a station goes on with its own way then.

/** NotifyEVChargingNeeds (K15): a status "Rejected". */
export const rejected: DecisionStep = () => Promise.resolve(answered({ status: "Rejected" }));

/** VatNumberValidation (2.1): no register is asked. The answer repeats the number. */
export const noVatRegister: DecisionStep = ({ payloadText }) => {
  const { vatNumber, evseId } = JSON.parse(payloadText) as { vatNumber: string; evseId?: number };
  return Promise.resolve(answered({ vatNumber, status: "Rejected", ...(evseId === undefined ? {} : { evseId }) }));
};

/** For messages whose answer has no word for "no". */
export const notSupported: DecisionStep = ({ action }) =>
  Promise.resolve({
    kind: "refuse",
    refusal: { refusal: "unsupported-action", description: `${action} is not supported by this CSMS` },
  });
