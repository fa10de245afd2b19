import type { JsonSchema, PayloadKind, SchemaSet } from "./json-schema.ts";

/**
 * One version's payload types as erasable TypeScript: an interface per message (`ResetRequest16`) and per class
 * (`IdTokenType201`), and the maps `Requests16` and `Responses16` from action to payload.
 */
export function payloadTypes(set: SchemaSet): string {
  const classes = [...set.definitions].map(([name, schema]) => declaration(`${name}${set.suffix}`, schema, set));
  const messages = set.messages.map(({ action, kind, schema }) =>
    declaration(messageType(action, kind, set), schema, set),
  );
  return [
    `// OCPP ${set.version} payloads. Written by generate.ts from the published schemas; not kept in the repository.`,
    ...classes,
    ...messages,
    actionMap("request", set),
    actionMap("response", set),
    "",
  ].join("\n\n");
}

function declaration(name: string, schema: JsonSchema, set: SchemaSet): string {
  return schema.type === "object" && Object.keys(schema.properties ?? {}).length > 0
    ? `export interface ${name} ${typeText(schema, set, "")}`
    : `export type ${name} = ${typeText(schema, set, "")};`;
}

function actionMap(kind: PayloadKind, set: SchemaSet): string {
  const entries = set.messages.filter((message) => message.kind === kind);
  const lines = entries.map(({ action }) => `  ${action}: ${messageType(action, kind, set)};`);
  return `export interface ${kind === "request" ? "Requests" : "Responses"}${set.suffix} {\n${lines.join("\n")}\n}`;
}

const messageType = (action: string, kind: PayloadKind, set: SchemaSet): string =>
  `${action}${kind === "request" ? "Request" : "Response"}${set.suffix}`;

function typeText(schema: JsonSchema, set: SchemaSet, indent: string): string {
  if (schema.$ref) return `${schema.$ref}${set.suffix}`;
  if (schema.enum) return schema.enum.map((member) => JSON.stringify(member)).join(" | ");
  switch (schema.type) {
    case "string":
    case "boolean":
      return schema.type;
    case "integer":
    case "number":
      return "number";
    case "array":
      if (!schema.items) throw new Error("an array without items");
      return schema.items.enum
        ? `(${typeText(schema.items, set, indent)})[]`
        : `${typeText(schema.items, set, indent)}[]`;
    case "object":
      return objectText(schema, set, indent);
    default:
      return "unknown"; // DataTransfer's data in 2.x: any JSON
  }
}

function objectText(schema: JsonSchema, set: SchemaSet, indent: string): string {
  const properties = Object.entries(schema.properties ?? {});
  const open = schema.additionalProperties !== false;
  if (properties.length === 0) return open ? "Record<string, unknown>" : "Record<string, never>";
  const inner = `${indent}  `;
  const lines = properties.map(([name, property]) => {
    const optional = schema.required?.includes(name) ? "" : "?";
    return `${limits(property, inner)}${inner}${JSON.stringify(name)}${optional}: ${typeText(property, set, inner)};\n`;
  });
  if (open) lines.push(`${inner}[vendorField: string]: unknown;\n`); // customData
  return `{\n${lines.join("")}${indent}}`;
}

/** What the type cannot say, for the reader in an editor. */
function limits(schema: JsonSchema, indent: string): string {
  const said = [
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    schema.format && `${schema.format}`,
    schema.type === "integer" && "integer",
    schema.multipleOf !== undefined && `multiple of ${schema.multipleOf}`,
    schema.minimum !== undefined && `≥ ${schema.minimum}`,
    schema.maximum !== undefined && `≤ ${schema.maximum}`,
    schema.minItems !== undefined && `at least ${schema.minItems}`,
    schema.maxItems !== undefined && `at most ${schema.maxItems}`,
  ].filter((text) => typeof text === "string");
  return said.length === 0 ? "" : `${indent}/** ${said.join(", ")} */\n`;
}
