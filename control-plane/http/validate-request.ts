import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import type { z } from "zod";
import { firstOfEach, fromAjv, fromZod, inBody, inQuery, type Locate } from "./field-errors.ts";
import { requestSchema } from "./json-schema.ts";
import type { FieldError } from "./problems.ts";

// The package is CommonJS: its default export is the module itself to Node, and the function to the compiler.
const addFormats = addFormatsModule as unknown as typeof addFormatsModule.default;

export interface RequestValidator {
  body(schema: z.ZodType, value: unknown): Result<unknown, FieldError[]>;
  /** Texts become numbers and booleans where the schema wants them. */
  query(schema: z.ZodType, value: Record<string, string | string[]>): Result<unknown, FieldError[]>;
}

/**
 * Validates with Ajv against the very JSON Schema that the API reference shows; zod then only fills in defaults and runs
 * refinements. Every mistake is reported, not just the first: bodies are at most a megabyte, the list is capped.
 */
export function createRequestValidator(): RequestValidator {
  const forBodies = addFormats(new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }));
  const forQueries = addFormats(
    new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, coerceTypes: "array" }),
  );
  const compiled = new Map<typeof forBodies, WeakMap<z.ZodType, ValidateFunction>>([
    [forBodies, new WeakMap()],
    [forQueries, new WeakMap()],
  ]);

  function check(
    ajv: typeof forBodies,
    schema: z.ZodType,
    value: unknown,
    locate: Locate,
  ): Result<unknown, FieldError[]> {
    const known = compiled.get(ajv)?.get(schema);
    const validate = known ?? ajv.compile(requestSchema(schema));
    if (known === undefined) compiled.get(ajv)?.set(schema, validate);
    const fits = validate(value);
    const parsed = schema.safeParse(value);
    if (fits && parsed.success) return ok(parsed.data);
    const issues = parsed.error?.issues ?? [];
    if (fits) return err(fromZod(issues, locate));
    // Ajv has said the rest already, and in our words; of zod's issues only its own are news.
    const refined = issues.filter(({ code }) => code === "custom");
    return err(
      firstOfEach([...fromAjv(validate.errors ?? [], requestSchema(schema), locate), ...fromZod(refined, locate)]),
    );
  }

  return {
    body: (schema, value) => check(forBodies, schema, value, inBody),
    query: (schema, value) => check(forQueries, schema, value, inQuery),
  };
}
