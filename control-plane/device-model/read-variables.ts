import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { storableJson } from "../message-log/storable-text.ts";
import type { FactOrder } from "../stations/fact-order.ts";
import { keyOf, nameOf, nameOfKey, storedValue, type VariableFact } from "./variable-facts.ts";

/** Where facts come from. */
export interface FactOrigin extends FactOrder {
  stationId: string;
  receivedAt: Date;
}

const factsFrom = ({ stationId, receivedAt, epoch, seq }: FactOrigin, source: string) => ({
  stationId,
  receivedAt,
  epoch,
  seq,
  source,
});

/** Of one part of a report (P2 B07, B08 NotifyReport). */
export function factsOfReport(
  report: RequestPayload<"2.0.1" | "2.1", "NotifyReport">,
  origin: FactOrigin,
): VariableFact[] {
  return (report.reportData ?? []).flatMap((data) =>
    data.variableAttribute.flatMap(({ type, value, mutability, persistent, constant }): VariableFact[] => {
      const name = nameOf(data, type);
      if (name === undefined) return [];
      const { variableCharacteristics: characteristics } = data;
      const description = {
        // The specification's defaults (P2 VariableAttributeType).
        mutability: mutability ?? "ReadWrite",
        persistent: persistent ?? false,
        constant: constant ?? false,
        characteristics: characteristics === undefined ? null : storableJson(JSON.stringify(characteristics)),
      };
      return [
        { ...factsFrom(origin, "NotifyReport"), ...name, value: storedValue(name, value, mutability), description },
      ];
    }),
  );
}

/** Of the variables that events tell of (P2 N07 NotifyEvent: actualValue). */
export function factsOfEvents(
  { eventData }: RequestPayload<"2.0.1" | "2.1", "NotifyEvent">,
  origin: FactOrigin,
): VariableFact[] {
  return eventData.flatMap((event): VariableFact[] => {
    const name = nameOf(event, undefined);
    return name === undefined
      ? []
      : [{ ...factsFrom(origin, "NotifyEvent"), ...name, value: storedValue(name, event.actualValue) }];
  });
}

/** Of the answer to a GetVariables (P2 B06). */
export function factsOfGetVariables(
  { getVariableResult }: ResponsePayload<"2.0.1" | "2.1", "GetVariables">,
  origin: FactOrigin,
): VariableFact[] {
  return getVariableResult.flatMap((result): VariableFact[] => {
    const name = nameOf(result, result.attributeType);
    return name === undefined || result.attributeStatus !== "Accepted"
      ? []
      : [{ ...factsFrom(origin, "GetVariables"), ...name, value: storedValue(name, result.attributeValue) }];
  });
}

/** Of a SetVariables (P2 B05): only what the station says it took over, with the value that it was given. */
export function factsOfSetVariables(
  { setVariableData }: RequestPayload<"2.0.1" | "2.1", "SetVariables">,
  { setVariableResult }: ResponsePayload<"2.0.1" | "2.1", "SetVariables">,
  origin: FactOrigin,
): VariableFact[] {
  const accepted = new Set(
    setVariableResult.flatMap((result) => {
      const name = nameOf(result, result.attributeType);
      return name === undefined || result.attributeStatus !== "Accepted" ? [] : [keyOf(name)];
    }),
  );
  return setVariableData.flatMap((data): VariableFact[] => {
    const name = nameOf(data, data.attributeType);
    return name === undefined || !accepted.has(keyOf(name))
      ? []
      : [{ ...factsFrom(origin, "SetVariables"), ...name, value: storedValue(name, data.attributeValue) }];
  });
}

/** Of the answer to a GetConfiguration of 1.6 (C16 §5.8). */
export function factsOfConfiguration(
  { configurationKey = [] }: ResponsePayload<"1.6", "GetConfiguration">,
  origin: FactOrigin,
): VariableFact[] {
  return configurationKey.map(({ key, readonly, value }) => {
    const name = nameOfKey(key);
    const mutability = readonly ? "ReadOnly" : "ReadWrite";
    return {
      ...factsFrom(origin, "GetConfiguration"),
      ...name,
      value: storedValue(name, value),
      description: { mutability, persistent: null, constant: null, characteristics: null },
    };
  });
}

/** Of a ChangeConfiguration of 1.6 that was taken over, at once or with the next reboot (C16 §5.3). */
export function factOfChangeConfiguration(
  { key, value }: RequestPayload<"1.6", "ChangeConfiguration">,
  origin: FactOrigin,
): VariableFact {
  const name = nameOfKey(key);
  return { ...factsFrom(origin, "ChangeConfiguration"), ...name, value: storedValue(name, value) };
}
