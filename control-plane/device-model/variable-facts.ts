import { isSecretSetting, MASK } from "../commands/secret-fields.ts";
import { storableText } from "../message-log/storable-text.ts";
import { byFactOrder, type FactOrder } from "../stations/fact-order.ts";
import { int4Of } from "../transactions/read-fields.ts";

/** What a variable is called; `component` "ChargePoint" for the configuration keys of 1.6. */
export interface VariableName {
  component: string;
  componentInstance: string | null;
  evseId: number | null;
  connectorId: number | null;
  variable: string;
  variableInstance: string | null;
  attribute: string;
}

/** What a report says of a variable beside its value. */
interface VariableDescription {
  mutability: string | null;
  persistent: boolean | null;
  constant: boolean | null;
  /** JSON text that Postgres takes. */
  characteristics: string | null;
}

/** That an attribute of a variable has a value, and perhaps what it is like: two facts of one message. */
export interface VariableFact extends FactOrder, VariableName {
  stationId: string;
  value: string | null;
  /** The action that told it. */
  source: string;
  receivedAt: Date;
  description?: VariableDescription;
}

/** Names have 50 characters (P2 ComponentType, VariableType); a quirk profile may let through more. */
const MAX_NAME = 255;
/** So that a key fits an index row in any script. */
const MAX_KEY_PART = 100;
/** Values have 2500 characters at the most (P2 VariableAttributeType), 1.6 500; configuration may allow larger reports. */
const MAX_VALUE = 10_000;

/** The row's key: names are case-insensitive (P2 §2.1.2 identifierString), their spelling is kept beside it. */
export const keyOf = (name: VariableName): string =>
  JSON.stringify(
    [
      name.component,
      name.componentInstance ?? "",
      name.evseId ?? "",
      name.connectorId ?? "",
      name.variable,
      name.variableInstance ?? "",
      name.attribute,
    ].map((part) => (typeof part === "string" ? part.toLowerCase().slice(0, MAX_KEY_PART) : part)),
  );

interface ComponentAndVariable {
  component: { name: string; instance?: string; evse?: { id: number; connectorId?: number } };
  variable: { name: string; instance?: string };
}

const nameText = (text: string): string => storableText(text).slice(0, MAX_NAME);

/**
 * The name in a 2.x message, which has `component` and `variable`.
 * @param attribute default "Actual", as the specification's is.
 * @returns undefined for EVSE and connector numbers that no column can hold.
 */
export function nameOf(
  { component, variable }: ComponentAndVariable,
  attribute: string | undefined,
): VariableName | undefined {
  const { evse } = component;
  const evseId = evse === undefined ? null : int4Of(evse.id);
  const connectorId = evse?.connectorId === undefined ? null : int4Of(evse.connectorId);
  if (evseId === undefined || connectorId === undefined) return undefined;
  return {
    component: nameText(component.name),
    componentInstance: component.instance === undefined ? null : nameText(component.instance),
    evseId,
    connectorId,
    variable: nameText(variable.name),
    variableInstance: variable.instance === undefined ? null : nameText(variable.instance),
    attribute: attribute ?? "Actual",
  };
}

/** The component that stands for the whole station where 1.6 has none. */
const CHARGE_POINT = "ChargePoint";

/** The name of a configuration key of 1.6 (C16 §9). */
export const nameOfKey = (key: string): VariableName => ({
  component: CHARGE_POINT,
  componentInstance: null,
  evseId: null,
  connectorId: null,
  variable: nameText(key),
  variableInstance: null,
  attribute: "Actual",
});

/** The value as it may be stored: none of a secret, nor of what can only be written (P2 MutabilityEnumType WriteOnly). */
export function storedValue(
  name: Pick<VariableName, "variable">,
  value: string | undefined,
  mutability?: string,
): string | null {
  if (value === undefined || value === MASK || mutability === "WriteOnly" || isSecretSetting(name.variable))
    return null;
  return storableText(value).slice(0, MAX_VALUE);
}

/** One row's worth: the newest value and the newest description, each with its own order. */
export interface MergedFact extends VariableFact {
  key: string;
  described: FactOrder | undefined;
}

/** The facts of a batch by row, since a statement may touch a row only once; in key order. */
export function mergeFacts(facts: readonly VariableFact[]): MergedFact[] {
  const rows = new Map<string, MergedFact>();
  for (const fact of [...facts].sort(byFactOrder)) {
    const key = keyOf(fact);
    const place = `${fact.stationId}/${key}`;
    const before = rows.get(place);
    const described = fact.description === undefined ? before?.described : { epoch: fact.epoch, seq: fact.seq };
    const description = fact.description ?? before?.description;
    rows.set(place, { ...fact, key, described, ...(description === undefined ? {} : { description }) });
  }
  return [...rows.values()];
}
