import type { JsonSchema } from "./json-schema.ts";
import { PROBLEMS } from "./problems.ts";
import type { ResponseDoc } from "./route.ts";

const text = { type: "string" };

/** Every header that an answer may have, by name. */
export const HEADERS = {
  "X-Request-Id": {
    description:
      "The request's id: the caller's own where it is 1 to 128 letters, digits, `.`, `_` and `-`, else ours.",
    schema: text,
  },
  "RateLimit-Policy": {
    description: "The limit that this request counted for: its name, requests (`q`) in seconds (`w`).",
    schema: text,
    example: '"login";q=30;w=60',
  },
  RateLimit: {
    description: "What is left of it: requests (`r`), and seconds until there are more (`t`).",
    schema: text,
    example: '"login";r=29;t=60',
  },
  "Retry-After": { description: "Seconds to wait before the next try.", schema: { type: "integer" } },
  "Idempotent-Replayed": {
    description: "This is the answer of the first request with this Idempotency-Key.",
    schema: { type: "string", const: "true" },
  },
  Location: { description: "Where the thing is from now on.", schema: { type: "string", format: "uri-reference" } },
  ETag: { description: "The state that the answer shows, for If-None-Match.", schema: text },
} as const;

/** Statuses that say when to come again: where the first request still runs, the limit is reached, or we are away. */
const COME_AGAIN = new Set([409, 429, 503]);

/** References to the headers of an answer. */
export function headersOf(status: number, own: ResponseDoc["headers"], idempotent: boolean): JsonSchema {
  const names: (keyof typeof HEADERS)[] = [
    ...(own ?? []),
    ...(COME_AGAIN.has(status) ? (["Retry-After"] as const) : []),
    ...(idempotent && status !== 429 && status < 500 ? (["Idempotent-Replayed"] as const) : []),
    "RateLimit",
    "RateLimit-Policy",
    "X-Request-Id",
  ];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The schema of application/problem+json. */
export function problemSchema(): JsonSchema {
  return {
    type: "object",
    description: "RFC 9457. Branch on `code`; show `detail` and `remedy` to people.",
    properties: {
      type: { ...text, format: "uri" },
      title: text,
      status: { type: "integer" },
      detail: text,
      instance: text,
      code: { ...text, enum: Object.keys(PROBLEMS) },
      request_id: text,
      remedy: text,
      errors: {
        type: "array",
        items: {
          type: "object",
          properties: {
            pointer: { ...text, description: "JSON Pointer into the body, or `?name` for a query parameter" },
            code: text,
            detail: text,
          },
          required: ["pointer", "code", "detail"],
        },
      },
    },
    required: ["type", "title", "status", "detail", "instance", "code", "request_id", "remedy"],
  };
}
