import type { ErrorObject } from "ajv/dist/2020.js";
import type { z } from "zod";
import { didYouMean } from "./did-you-mean.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { FieldError } from "./problems.ts";

/** A megabyte of wrong fields should not come back as many megabytes of errors. */
const MAX_ERRORS = 50;

/** Turns a path into what the caller calls the place: a JSON Pointer for bodies, `?name` for query parameters. */
export type Locate = (path: readonly string[]) => string;

export const inBody: Locate = (path) =>
  path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
export const inQuery: Locate = (path) => `?${path.join(".")}`;

/** Ajv's errors in a person's words: which field, what was expected, and for an unknown name what was probably meant. */
export function fromAjv(errors: readonly ErrorObject[], schema: JsonSchema, locate: Locate): FieldError[] {
  // Wrappers repeat what their branches say.
  const own = errors.length > 1 ? errors.filter(({ keyword }) => !["if", "anyOf", "oneOf"].includes(keyword)) : errors;
  // Of a field that may be null, what else it may be is the news.
  const isNullBranch = (error: ErrorObject) => error.keyword === "type" && error.params["type"] === "null";
  const telling = own.filter(
    (error) =>
      !isNullBranch(error) || !own.some((other) => other.instancePath === error.instancePath && !isNullBranch(other)),
  );
  return firstOfEach(telling.map((error) => fromAjvError(error, schema, locate)));
}

/** What only zod can check: refinements, and times down to the calendar. */
export function fromZod(issues: readonly z.core.$ZodIssue[], locate: Locate): FieldError[] {
  return firstOfEach(issues.map((issue) => ({ pointer: locate(issue.path.map(String)), ...inOurWords(issue) })));
}

function inOurWords(issue: z.core.$ZodIssue): Pick<FieldError, "code" | "detail"> {
  if (issue.code === "custom") return { code: String(issue.params?.["code"] ?? "invalid"), detail: issue.message };
  if (issue.code === "invalid_format")
    return {
      code: "wrong_format",
      detail: FORMATS[issue.format === "datetime" ? "date-time" : issue.format] ?? issue.message,
    };
  return { code: "invalid", detail: issue.message };
}

/** A field that breaks several rules is one mistake: an empty name is too short, its form matters no more. */
export function firstOfEach(errors: readonly FieldError[]): FieldError[] {
  const byPlace = new Map<string, FieldError>();
  for (const error of errors) {
    const known = byPlace.get(error.pointer);
    if (known === undefined || known.code === "wrong_format") byPlace.set(error.pointer, error);
  }
  return [...byPlace.values()].slice(0, MAX_ERRORS);
}

function fromAjvError(error: ErrorObject, schema: JsonSchema, locate: Locate): FieldError {
  const path = error.instancePath === "" ? [] : error.instancePath.slice(1).split("/").map(unescapePointer);
  const { params } = error;
  switch (error.keyword) {
    case "additionalProperties": {
      const name = String(params["additionalProperty"]);
      const known = knownNames(schema, path);
      const meant = didYouMean(name, known);
      const hint = meant === undefined ? "" : `; did you mean \`${meant}\`?`;
      const list = known.length === 0 ? "no fields are known here" : `known here: ${known.join(", ")}`;
      return {
        pointer: locate([...path, name]),
        code: "unknown_field",
        detail: `\`${name.slice(0, 100)}\` is not a known field${hint} (${list})`,
      };
    }
    case "required": {
      const name = String(params["missingProperty"]);
      return { pointer: locate([...path, name]), code: "missing", detail: `\`${name}\` is required` };
    }
    case "type":
      return { pointer: locate(path), code: "wrong_type", detail: `must be ${withArticle(params["type"])}` };
    case "enum":
      return {
        pointer: locate(path),
        code: "not_allowed",
        detail: `must be one of ${(params["allowedValues"] as unknown[]).map(String).join(", ")}`,
      };
    case "const":
      return {
        pointer: locate(path),
        code: "not_allowed",
        detail: `must be ${JSON.stringify(params["allowedValue"])}`,
      };
    case "minLength":
      return Number(params["limit"]) === 1
        ? { pointer: locate(path), code: "too_short", detail: "may not be empty" }
        : {
            pointer: locate(path),
            code: "too_short",
            detail: `must have at least ${String(params["limit"])} characters`,
          };
    case "maxLength":
      return {
        pointer: locate(path),
        code: "too_long",
        detail: `may have at most ${String(params["limit"])} characters`,
      };
    case "minItems":
      return {
        pointer: locate(path),
        code: "too_few",
        detail: `must have at least ${String(params["limit"])} entries`,
      };
    case "maxItems":
      return { pointer: locate(path), code: "too_many", detail: `may have at most ${String(params["limit"])} entries` };
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return {
        pointer: locate(path),
        code: "out_of_range",
        detail: `must be ${String(params["comparison"])} ${String(params["limit"])}`,
      };
    case "format":
    case "pattern":
      return { pointer: locate(path), code: "wrong_format", detail: formatDetail(error, schema, path) };
    default:
      return { pointer: locate(path), code: "invalid", detail: error.message ?? "is not valid" };
  }
}

const unescapePointer = (part: string) => part.replaceAll("~1", "/").replaceAll("~0", "~");

const FORMATS: Record<string, string> = {
  "date-time": "must be a time in ISO 8601 UTC, such as 2026-05-01T10:23:00Z",
  date: "must be a date, such as 2026-05-01",
  uri: "must be a URL",
};

/** A field's description says best what its pattern wants. */
function formatDetail(error: ErrorObject, schema: JsonSchema, path: readonly string[]): string {
  const field = at(schema, path);
  const format = error.keyword === "format" ? error.params["format"] : field?.["format"];
  const known = typeof format === "string" ? FORMATS[format] : undefined;
  if (known !== undefined) return known;
  const description = field?.["description"];
  return typeof description === "string"
    ? `does not have the expected form: ${description}`
    : "does not have the expected form";
}

function knownNames(schema: JsonSchema, path: readonly string[]): string[] {
  const properties = at(schema, path)?.["properties"];
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
}

/** The part of the schema that describes `path`; undefined inside unions, where there is no one answer. */
function at(schema: JsonSchema, path: readonly string[]): JsonSchema | undefined {
  let here: JsonSchema | undefined = schema;
  for (const part of path) {
    if (here === undefined) return undefined;
    const properties = here["properties"] as Record<string, JsonSchema> | undefined;
    here =
      properties !== undefined && Object.hasOwn(properties, part)
        ? properties[part]
        : (here["items"] as JsonSchema | undefined);
  }
  return here;
}

function withArticle(type: unknown): string {
  const names = Array.isArray(type) ? type.map(String) : String(type).split(",");
  return names.map((name) => (name === "null" ? "null" : `${/^[aeio]/.test(name) ? "an" : "a"} ${name}`)).join(" or ");
}
