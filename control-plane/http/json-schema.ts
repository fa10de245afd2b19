import { z } from "zod";

/** A JSON Schema (2020-12) as it is handed to Ajv and put into the OpenAPI document. */
export type JsonSchema = Record<string, unknown>;

/** Schemas that the API reference shows once, by name. */
const names = new WeakMap<object, string>();

/** Gives a schema of answers a name in the API reference. Describe it first: zod makes a new schema of a described one. */
export function named<S extends z.ZodType>(name: string, schema: S): S {
  names.set(schema, name);
  return schema;
}

/** Named schemas that the API reference refers to: name → the zod schema, and what it became. */
export type Components = Map<string, { of: object; schema: JsonSchema }>;

/**
 * The JSON Schema of an answer for the API reference: what has a name is referred to, and added to `components`.
 * Throws when two schemas have one name.
 */
export function documentedSchema(schema: z.core.$ZodType, components: Components, isComponent = false): JsonSchema {
  const met: [string, z.core.$ZodType][] = [];
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    io: "output",
    target: "draft-2020-12",
    override({ zodSchema, jsonSchema }) {
      plainTimes({ jsonSchema });
      const name = names.get(zodSchema);
      if (name === undefined || (isComponent && Object.is(zodSchema, schema))) return;
      met.push([name, zodSchema]);
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.$ref = `#/components/schemas/${name}`;
    },
  }) as JsonSchema;
  for (const [name, of] of met) {
    const known = components.get(name);
    if (known === undefined) {
      const entry = { of, schema: {} };
      components.set(name, entry);
      entry.schema = documentedSchema(of, components, true);
    } else if (!Object.is(known.of, of)) throw new Error(`two schemas are called ${name}`);
  }
  return made;
}

const requestSchemas = new WeakMap<z.ZodType, JsonSchema>();
const responseSchemas = new WeakMap<z.ZodType, JsonSchema>();

/**
 * The JSON Schema of what a client sends: one object per zod schema, so that what validates and what is documented cannot
 * differ. Throws at start for schemas that JSON Schema cannot express.
 */
export const requestSchema = (schema: z.ZodType): JsonSchema => remembered(requestSchemas, schema, "input");

/** The JSON Schema of what we answer. */
export const responseSchema = (schema: z.ZodType): JsonSchema => remembered(responseSchemas, schema, "output");

function remembered(known: WeakMap<z.ZodType, JsonSchema>, schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const found = known.get(schema);
  if (found !== undefined) return found;
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    override: plainTimes,
  }) as JsonSchema;
  known.set(schema, made);
  return made;
}

/** `format: date-time` says it all; the pattern beside it is a calendar in 300 characters, and zod checks it anyway. */
function plainTimes({ jsonSchema }: { jsonSchema: JsonSchema }): void {
  if (jsonSchema["format"] === "date-time") delete jsonSchema["pattern"];
}
