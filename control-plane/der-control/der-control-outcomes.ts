import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { clearItems, itemKey, recordItems } from "../station-items/record-items.ts";
import { controlItem, supersededItems } from "./der-control-items.ts";

const setDerControl: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const {
    controlId,
    controlType,
    isDefault,
    customData: _,
    ...settings
  } = command.payload as RequestPayload<"2.1", "SetDERControl">;
  const { supersededIds = [] } = command.response as ResponsePayload<"2.1", "SetDERControl">;
  const origin = originOf(command);
  const [only] = Object.values(settings);
  await recordItems(sql, [
    controlItem(origin, { id: controlId, type: controlType, isDefault, isSuperseded: false, settings: only ?? {} }),
    ...supersededItems(
      origin,
      supersededIds.filter((id) => id !== controlId),
    ),
  ]);
};

const clearDerControl: OutcomeEffect = async (sql, command) => {
  const answer = command.response as ResponsePayload<"2.1", "ClearDERControl"> | undefined;
  // "NotFound": it is not there either.
  if (answer === undefined || (answer.status !== "Accepted" && answer.status !== "NotFound")) return;
  const { controlId, controlType, isDefault } = command.payload as RequestPayload<"2.1", "ClearDERControl">;
  const origin = originOf(command);
  if (controlId !== undefined)
    return recordItems(sql, [
      { ...origin, kind: "der_control", key: itemKey(controlId), present: false, data: {}, adds: true },
    ]);
  const having = { is_default: isDefault, ...(controlType === undefined ? {} : { control_type: controlType }) };
  await clearItems(sql, { ...origin, kind: "der_control", having });
};

/** What commands about DER controls come to (2.1 Part 2 block R), by action. */
export const DER_CONTROL_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ClearDERControl", clearDerControl],
  ["SetDERControl", setDerControl],
];
