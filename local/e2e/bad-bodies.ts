import type { Operation, Schema } from "./openapi-operations.ts";

export interface BadBody {
  what: string;
  /** Sent as it is. */
  body: string | Buffer;
  contentType?: string | undefined;
  headers?: Record<string, string>;
  status: number;
  code: string;
  /** A place that must be among the errors, as a JSON Pointer. */
  pointer?: string;
}

const JSON_TYPE = "application/json";

/** What is wrong with a body before anybody looks at its fields: the same for every operation that takes one. */
export function badEnvelopes(example: Record<string, unknown>): BadBody[] {
  const valid = JSON.stringify(example);
  const bad = (
    what: string,
    body: string | Buffer,
    status: number,
    code: string,
    more: Partial<BadBody> = {},
  ): BadBody => ({
    what,
    body,
    contentType: JSON_TYPE,
    status,
    code,
    ...more,
  });
  return [
    bad("two megabytes", `{"x":"${"x".repeat(2_000_000)}"}`, 413, "body_too_large"),
    bad("not JSON", "{not json", 400, "bad_json"),
    bad("half of JSON", valid.slice(0, -1) || "{", 400, "bad_json"),
    bad("JSON and more", `${valid} x`, 400, "bad_json"),
    bad("not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 400, "bad_json"),
    bad("nested deeply", `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`, 400, "bad_json"),
    bad("an array", "[]", 422, "validation_failed"),
    bad("null", "null", 422, "validation_failed"),
    bad("a text", '"x"', 422, "validation_failed"),
    bad("a form", "a=b", 415, "unsupported_media_type", { contentType: "application/x-www-form-urlencoded" }),
    bad("plain text", valid, 415, "unsupported_media_type", { contentType: "text/plain" }),
    bad("without a type", Buffer.from(valid), 415, "unsupported_media_type", { contentType: undefined }),
    bad("another charset", valid, 415, "unsupported_media_type", { contentType: "application/json; charset=utf-16" }),
    bad("compressed", valid, 415, "unsupported_media_type", { headers: { "content-encoding": "gzip" } }),
    bad("__proto__", '{"__proto__":{"admin":true}}', 422, "validation_failed", { pointer: "/__proto__" }),
    bad("a made-up name", JSON.stringify({ ...example, nonsense: 1 }), 422, "validation_failed", {
      pointer: "/nonsense",
    }),
  ];
}

/** Every field once with every JSON type that it does not take, with what cannot be stored, and left out where it is required. */
export function badFields({ body }: Operation): BadBody[] {
  if (body === undefined) return [];
  const { schema, example } = body;
  const found: BadBody[] = (schema.required ?? []).map((name) => ({
    what: `without ${name}`,
    body: JSON.stringify(Object.fromEntries(Object.entries(example).filter(([field]) => field !== name))),
    contentType: JSON_TYPE,
    status: 422,
    code: "validation_failed",
    pointer: `/${name}`,
  }));
  for (const { pointer, field, put } of fieldsOf(schema, "", (value) => value, example))
    for (const value of valuesOfOtherTypes(field))
      found.push({
        what: `${pointer} = ${JSON.stringify(value)}`,
        body: JSON.stringify(put(value)),
        contentType: JSON_TYPE,
        status: 422,
        code: "validation_failed",
        pointer,
      });
  for (const name of Object.keys(schema.properties ?? {}))
    for (const text of ["a\\u0000b", "\\ud800"])
      found.push({
        what: `/${name} holds ${text}`,
        body: `{${JSON.stringify(name)}:"${text}"}`,
        contentType: JSON_TYPE,
        status: 422,
        code: "validation_failed",
        pointer: `/${name}`,
      });
  return found;
}

interface Field {
  pointer: string;
  field: Schema;
  put(value: unknown): unknown;
}

function fieldsOf(schema: Schema, at: string, put: (value: unknown) => unknown, example: unknown): Field[] {
  const known = typeof example === "object" && example !== null ? (example as Record<string, unknown>) : {};
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const here = (value: unknown) => put({ ...known, [name]: value });
    const pointer = `${at}/${name}`;
    const objects = [field, ...(field.anyOf ?? [])].filter((one) => one.properties !== undefined);
    return [
      { pointer, field, put: here },
      ...objects.flatMap((object) => fieldsOf(object, pointer, here, known[name])),
    ];
  });
}

/** One value of each JSON type that the schema does not take; none when the schema does not say what it takes. */
function valuesOfOtherTypes(schema: Schema): unknown[] {
  const taken = typesOf(schema);
  if (taken.size === 0) return [];
  const samples: Record<string, unknown> = {
    string: "\u{1F50C} —",
    number: 1.5,
    boolean: true,
    array: [[]],
    object: { a: {} },
    null: null,
  };
  return Object.entries(samples).flatMap(([type, sample]) => (taken.has(type) ? [] : [sample]));
}

function typesOf({ type, anyOf, enum: allowed, const: only }: Schema): Set<string> {
  const named = [type ?? []].flat();
  const listed = [...(allowed ?? []), ...(only === undefined ? [] : [only])].map((value) => typeof value);
  // A fraction is no integer, but `number` is what is left out of the samples only where fractions are taken.
  return new Set([...named, ...listed, ...(anyOf ?? []).flatMap((one) => [...typesOf(one)])]);
}
