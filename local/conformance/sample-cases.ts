import type { JsonSchema, SchemaSet } from "@dynamo-csms/ocpp-schemas/generation/json-schema";
import { readSchemaSet, SCHEMA_FILES } from "@dynamo-csms/ocpp-schemas/generation/read-schema-set";
import {
  maximalPayload,
  samplePayload,
  violations,
  type Violation,
} from "@dynamo-csms/ocpp-schemas/generation/sample-payloads";
import type { PayloadKind } from "@dynamo-csms/ocpp-schemas/validators";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** One payload of one message, and what the case is called in the golden files. */
export interface SampleCase {
  /** `minimal`, `maximal`, or `<constraint> <JSON pointer>` for a payload with that one mistake. */
  name: string;
  payload: Payload;
  mistake?: Omit<Violation, "payload">;
}
export type Payload = Record<string, unknown>;

const SETS = new Map<OcppVersion, SchemaSet>(SCHEMA_FILES.map((file) => [file.version, readSchemaSet(file)]));

/** Where a schema error alone must not cost billing data: these get more than one mistake of a kind (OCPP 1.6 §3.7.1, 2.x E13). */
const TRANSACTION_DATA = new Set(["StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"]);

/** The smallest and the fullest payload that a message's schema allows. */
export function validCases(version: OcppVersion, action: string, kind: PayloadKind): [SampleCase, SampleCase] {
  const { schema, definitions } = schemaOf(version, action, kind);
  // Behind samplePayload: every message is an object.
  return [
    { name: "minimal", payload: samplePayload(schema, definitions, false) as Payload },
    { name: "maximal", payload: maximalPayload(schema, definitions) as Payload },
  ];
}

/**
 * A payload for each kind of constraint that the message's schema has, broken in one place: the outermost one. Transaction
 * data has each kind broken in each of its own fields as well, since what is made of it depends on the field.
 */
export function violationCases(version: OcppVersion, action: string, kind: PayloadKind): SampleCase[] {
  const { schema, definitions } = schemaOf(version, action, kind);
  const chosen = new Map<string, Violation>();
  for (const violation of violations(schema, definitions)) {
    const known = chosen.get(violation.constraint);
    if (known === undefined || rank(violation) < rank(known)) chosen.set(violation.constraint, violation);
    if (TRANSACTION_DATA.has(action) && depthOf(violation) === 1)
      chosen.set(`${violation.constraint} ${violation.pointer}`, violation);
  }
  return [...new Set(chosen.values())]
    .map(({ payload, ...mistake }) => ({
      name: `${mistake.constraint} ${mistake.pointer}`,
      payload: payload as Payload,
      mistake,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Members of the enumeration that a response's `status` field has; empty when it has none. */
export function statusesOf(version: OcppVersion, action: string): string[] {
  const { schema, definitions } = schemaOf(version, action, "response");
  const status = schema.properties?.["status"];
  if (status === undefined) return [];
  return ((status.$ref === undefined ? status : definitions.get(status.$ref))?.enum ?? []).slice();
}

/** Whether the version has this message: a SEND has no response. */
export function hasMessage(version: OcppVersion, action: string, kind: PayloadKind): boolean {
  return setOf(version).messages.some((message) => message.action === action && message.kind === kind);
}

function schemaOf(
  version: OcppVersion,
  action: string,
  kind: PayloadKind,
): { schema: JsonSchema; definitions: SchemaSet["definitions"] } {
  const { messages, definitions } = setOf(version);
  const message = messages.find((one) => one.action === action && one.kind === kind);
  if (message === undefined) throw new Error(`OCPP ${version} has no ${action} ${kind}`);
  return { schema: message.schema, definitions };
}

function setOf(version: OcppVersion): SchemaSet {
  const set = SETS.get(version);
  if (set === undefined) throw new Error(`no schemas of OCPP ${version}`);
  return set;
}

const depthOf = ({ pointer }: Violation) => pointer.split("/").length - 1;

/** Outermost first, and the message's own fields before those of customData. */
const rank = (violation: Violation) => depthOf(violation) + (violation.pointer.includes("/customData") ? 100 : 0);
