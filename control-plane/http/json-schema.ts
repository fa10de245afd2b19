import { z } from "zod";

/** A JSON Schema (2020-12) as it is handed to Ajv and put into the OpenAPI document. */
export type JsonSchema = Record<string, unknown>;

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
  const { $schema: _, ...made } = z.toJSONSchema(schema, { io, target: "draft-2020-12" }) as JsonSchema;
  known.set(schema, made);
  return made;
}
