import type { JsonSchema } from "./json-schema.ts";

type Published = Record<string, unknown>;

/** Says nothing about what is valid; the published texts are long and are not ours to pass on. */
const ANNOTATIONS = new Set(["$schema", "$id", "comment", "description", "javaType", "default", "definitions"]);
const COPIED = new Set([
  "type",
  "required",
  "minItems",
  "maxItems",
  "enum",
  "maxLength",
  "format",
  "minimum",
  "maximum",
  "multipleOf",
]);

/**
 * A published schema as ajv's strict mode takes it: annotations gone, every constraint kept.
 * A `$ref` becomes the bare name of the class (`#/definitions/X` → `X`).
 * Throws on a keyword it does not know: a constraint that a new package brings must not be dropped in silence.
 */
export function rewriteSchema(published: Published): JsonSchema {
  const rewritten: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(published)) {
    if (ANNOTATIONS.has(keyword)) continue;
    else if (COPIED.has(keyword)) rewritten[keyword] = value;
    else if (keyword === "$ref") rewritten["$ref"] = String(value).replace("#/definitions/", "");
    else if (keyword === "items") rewritten["items"] = rewriteSchema(asSchema(value));
    else if (keyword === "properties") {
      rewritten["properties"] = Object.fromEntries(
        Object.entries(asSchema(value)).map(([name, property]) => [name, rewriteSchema(asSchema(property))]),
      );
    } else if (keyword === "additionalProperties") {
      // 2.1 writes it on enums too, where it means nothing and strict mode refuses it.
      if (published["type"] === "object") rewritten["additionalProperties"] = value;
    } else if (keyword === "additionalItems") {
      // Means nothing beside `items` that is one schema, and strict mode refuses it; a tuple is thrown at by asSchema.
      continue;
    } else throw new Error(`unknown JSON Schema keyword ${keyword}`);
  }
  return rewritten as JsonSchema;
}

function asSchema(value: unknown): Published {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a JSON schema");
  return value as Published;
}
