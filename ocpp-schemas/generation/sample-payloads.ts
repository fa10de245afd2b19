import type { Refusal } from "@dynamo-csms/proto/call-error";
import type { JsonSchema, SchemaSet } from "./json-schema.ts";

/** A payload with one mistake, and what has to be said about it. */
export interface Violation {
  payload: unknown;
  constraint: string;
  pointer: string;
  refusal: Refusal;
}

type Definitions = SchemaSet["definitions"];

/** How many entries the arrays of a maximal payload have at most, by how deep they are nested: a frame has an end. */
const MAX_ENTRIES = [4, 2];

/** A valid payload with only what is required, or with every field. Strings are as long as allowed, numbers at their lowest. */
export function samplePayload(schema: JsonSchema, definitions: Definitions, every: boolean): unknown {
  return sample(schema, definitions, every, () => 1);
}

/** A valid payload with every field, strings as long as allowed, and arrays as full as a frame can bear. */
export function maximalPayload(schema: JsonSchema, definitions: Definitions): unknown {
  return sample(schema, definitions, true, (at, depth) => Math.min(at.maxItems ?? Infinity, MAX_ENTRIES[depth] ?? 1));
}

function sample(
  schema: JsonSchema,
  definitions: Definitions,
  every: boolean,
  entries: (at: JsonSchema, depth: number) => number,
  depth = 0,
): unknown {
  const at = resolve(schema, definitions);
  if (at.enum) return at.enum[0];
  switch (at.type) {
    case "object": {
      const names = Object.entries(at.properties ?? {}).filter(([name]) => every || at.required?.includes(name));
      return Object.fromEntries(
        names.map(([name, property]) => [name, sample(property, definitions, every, entries, depth)]),
      );
    }
    case "array":
      return Array.from({ length: Math.max(1, at.minItems ?? 1, entries(at, depth)) }, () =>
        sample(at.items ?? {}, definitions, every, entries, depth + 1),
      );
    case "integer":
    case "number":
      return at.minimum ?? at.maximum ?? (at.type === "integer" ? 0 : 0.3);
    case "boolean":
      return true;
    case "string":
      if (at.format) return at.format === "uri" ? "ftp://example.com/f" : "2026-01-31T12:00:00.5+02:00";
      return "é".repeat(Math.min(at.maxLength ?? 3, 12_000));
    default:
      return [{ any: "JSON" }];
  }
}

/** Every way in which the payload with every field can break one constraint of its schema, each place in the tree once. */
export function* violations(schema: JsonSchema, definitions: Definitions): Generator<Violation> {
  const whole = samplePayload(schema, definitions, true);
  for (const { constraint, path, broken, refusal, last } of mistakes(schema, definitions, [])) {
    const pointer = [...path, ...(last === undefined ? [] : [last])].map((step) => `/${step}`).join("");
    yield { payload: replaced(whole, path, broken), constraint, pointer, refusal };
  }
}

interface Mistake {
  constraint: string;
  /** Where something else is put; the pointer goes one step further when a field is missing or too many. */
  path: string[];
  broken: (value: unknown) => unknown;
  refusal: Refusal;
  last?: string;
}

function* mistakes(schema: JsonSchema, definitions: Definitions, path: string[]): Generator<Mistake> {
  const at = resolve(schema, definitions);
  const put = (value: unknown) => () => value;
  if (at.type && path.length > 0) {
    const others = { object: "text", array: {}, string: 7, integer: "7", number: "7", boolean: "true" };
    yield { constraint: "type", path, broken: put(others[at.type]), refusal: "wrong-type" };
    yield { constraint: "null", path, broken: put(null), refusal: "wrong-type" };
  }
  if (at.type === "integer") yield { constraint: "fraction", path, broken: put(1.5), refusal: "wrong-type" };
  if (at.enum) yield { constraint: "enum", path, broken: put("Nonsense"), refusal: "out-of-range" };
  if (at.maxLength !== undefined)
    yield { constraint: "maxLength", path, broken: put("é".repeat(at.maxLength + 1)), refusal: "out-of-range" };
  if (at.format) yield { constraint: "format", path, broken: put("31 January"), refusal: "out-of-range" };
  if (at.minimum !== undefined)
    yield { constraint: "minimum", path, broken: put(at.minimum - 1), refusal: "out-of-range" };
  if (at.maximum !== undefined)
    yield { constraint: "maximum", path, broken: put(at.maximum + 1), refusal: "out-of-range" };
  if (at.multipleOf !== undefined) yield { constraint: "multipleOf", path, broken: put(0.35), refusal: "out-of-range" };
  if (at.minItems) yield { constraint: "minItems", path, broken: put([]), refusal: "wrong-cardinality" };
  if (at.maxItems !== undefined) {
    const tooMany = Array.from({ length: at.maxItems + 1 }, () => samplePayload(at.items ?? {}, definitions, false));
    yield { constraint: "maxItems", path, broken: put(tooMany), refusal: "wrong-cardinality" };
  }
  if (at.type === "object") yield* objectMistakes(at, definitions, path);
  if (at.items) yield* mistakes(at.items, definitions, [...path, "0"]);
}

function* objectMistakes(at: JsonSchema, definitions: Definitions, path: string[]): Generator<Mistake> {
  for (const name of at.required ?? []) {
    const without = (value: unknown) =>
      Object.fromEntries(Object.entries(value as object).filter(([key]) => key !== name));
    yield { constraint: "required", path, broken: without, refusal: "wrong-cardinality", last: name };
  }
  if (at.additionalProperties === false) {
    const withMore = (value: unknown) => ({ ...(value as object), nonsense: 1 });
    yield {
      constraint: "additionalProperties",
      path,
      broken: withMore,
      refusal: "malformed-payload",
      last: "nonsense",
    };
  }
  for (const [name, property] of Object.entries(at.properties ?? {}))
    yield* mistakes(property, definitions, [...path, name]);
}

function resolve(schema: JsonSchema, definitions: Definitions): JsonSchema {
  return schema.$ref ? (definitions.get(schema.$ref) ?? {}) : schema;
}

function replaced(value: unknown, path: string[], broken: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return broken(value);
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (String(index) === step ? replaced(item, rest, broken) : item));
  const object = value as Record<string, unknown>;
  return { ...object, [step]: replaced(object[step], rest, broken) };
}
