import type { DataTransfer } from "../data-transfer/record-data-transfers.ts";
import { originOfCall } from "./device-model-steps.ts";
import type { Step } from "./step.ts";

/** DataTransfer, all versions: decided and stored before it was answered, so only put back if Postgres lost it. */
export const dataTransfer: Step<DataTransfer["request"]> = (call, effects) => {
  if (call.answer === undefined) return;
  effects.dataTransfers.push({
    ...originOfCall(call),
    direction: "from_charge_point",
    request: call.payload,
    answer: call.answer as DataTransfer["answer"],
  });
};
