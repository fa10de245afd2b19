import { MAX_ERROR_DESCRIPTION, type CallRefusal, type Refusal } from "@dynamo-csms/proto/call-error";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** Why a payload is refused: as CALLERROR towards a station, and with the place for `errors[].pointer` of the REST API. */
export interface PayloadRefusal extends CallRefusal {
  /** RFC 6901 JSON pointer into the payload; "" is the payload itself. */
  pointer: string;
}

/** As ajv reports it. */
export interface SchemaError {
  keyword: string;
  instancePath: string;
  params: Record<string, unknown>;
}

/** Which schema keyword means what. The spec gives no table; this is ours, and call-error.ts has each version's spelling. */
const REFUSAL_BY_KEYWORD: Partial<Record<string, Refusal>> = {
  required: "wrong-cardinality",
  minItems: "wrong-cardinality",
  maxItems: "wrong-cardinality",
  type: "wrong-type",
  enum: "out-of-range",
  maxLength: "out-of-range",
  minimum: "out-of-range",
  maximum: "out-of-range",
  multipleOf: "out-of-range",
  format: "out-of-range",
  additionalProperties: "malformed-payload",
};

const MAX_SHOWN = 40;
/** The longest name that a pointer repeats; a longer one is no honest mistake. */
const MAX_POINTED = 255;

/**
 * ajv's error as refusal: `meterValue[0].sampledValue[2].unit: must be one of Wh, kWh, … (got "kwh")`.
 * @param payload the payload that was refused, to say what stood at the place.
 */
export function explainSchemaError(version: OcppVersion, error: SchemaError, payload: object): PayloadRefusal {
  const steps = error.instancePath.split("/").slice(1).map(unescapePointer);
  const value = valueAt(payload, steps);
  const named = error.params["missingProperty"] ?? error.params["additionalProperty"];
  if (typeof named === "string") steps.push(named);
  const place = placeText(steps, payload);
  return {
    refusal: REFUSAL_BY_KEYWORD[error.keyword] ?? "malformed-payload",
    description: clip(
      `${place}: ${words(version, error, value, MAX_ERROR_DESCRIPTION - place.length - 2)}`,
      MAX_ERROR_DESCRIPTION,
    ),
    pointer: steps
      .filter((step) => step.length <= MAX_POINTED)
      .map((step) => `/${escapePointer(step)}`)
      .join(""),
  };
}

function words(version: OcppVersion, { keyword, params }: SchemaError, value: unknown, room: number): string {
  const limit = String(params["limit"]);
  switch (keyword) {
    case "required":
      return "is missing";
    case "type":
      return `must be ${typeWords(String(params["type"]))}${value === null ? "; leave the field out instead of sending null" : ""}`;
    case "enum":
      return enumWords(params["allowedValues"], value, room);
    case "maxLength":
      return `has ${characterCount(String(value))} characters, at most ${limit} are allowed`;
    case "minItems":
      return `must have at least ${limit} ${limit === "1" ? "entry" : "entries"}`;
    case "maxItems":
      return `has ${Array.isArray(value) ? value.length : "too many"} entries, at most ${limit} are allowed`;
    case "minimum":
      return `must be at least ${limit} (got ${shown(value)})`;
    case "maximum":
      return `must be at most ${limit} (got ${shown(value)})`;
    case "multipleOf":
      return `must be a multiple of ${String(params["multipleOf"])} (got ${shown(value)})`;
    case "format":
      return `must be ${formatWords(String(params["format"]))} (got ${shown(value)})`;
    case "additionalProperties":
      return version === "1.6"
        ? "is not a field of this message; OCPP 1.6 has no vendor fields outside DataTransfer"
        : "is not a field of this message; vendor fields belong in customData";
    default:
      return "breaks the schema of this message";
  }
}

/** As JSON Schema counts them: code points. */
function characterCount(text: string): number {
  let count = 0;
  for (const _character of text) count++;
  return count;
}

const typeWords = (type: string): string =>
  type === "boolean" ? "true or false" : `${/^[aio]/.test(type) ? "an" : "a"} ${type}`;

const formatWords = (format: string): string =>
  format === "date-time"
    ? "a date and time with time zone, like 2026-01-31T12:00:00Z"
    : `a valid ${format.toUpperCase()}`;

/** As many of the members as there is room for; what was sent is always said. */
function enumWords(allowed: unknown, value: unknown, room: number): string {
  const got = ` (got ${shown(value)})`;
  const members = Array.isArray(allowed) ? allowed.map(String) : [];
  let list = "";
  for (const [index, member] of members.entries()) {
    const next = index === 0 ? member : `${list}, ${member}`;
    const rest = index === members.length - 1 ? "" : ", …";
    if ("must be one of ".length + next.length + rest.length + got.length > room)
      return `must be one of ${list}, …${got}`;
    list = next;
  }
  return members.length === 1 ? `must be ${list}${got}` : `must be one of ${list}${got}`;
}

/** `meterValue[0].sampledValue[2].unit`; the steps are the schema's names, except the last, which may be a station's. */
function placeText(steps: string[], payload: unknown): string {
  if (steps.length === 0) return "payload";
  let text = "";
  let at: unknown = payload;
  for (const step of steps) {
    text += Array.isArray(at) ? `[${step}]` : `${text === "" ? "" : "."}${plain(step)}`;
    at = childOf(at, step);
  }
  return text;
}

/** A value from the wire, short and harmless: JSON, at most 40 characters, no control or direction characters. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  // Cut before quoting: a megabyte is not to be escaped in order to show 40 characters.
  return typeof value === "string" ? JSON.stringify(plain(value, MAX_SHOWN - 2)) : plain(String(value));
}

const plain = (text: string, length = MAX_SHOWN): string =>
  clip(text, length).replace(/[\p{C}\p{Z}]/gu, (c) => (c === " " ? c : "?"));

/** At most `length` UTF-16 units, never half a character. */
function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

function valueAt(payload: unknown, steps: string[]): unknown {
  return steps.reduce(childOf, payload);
}

function childOf(parent: unknown, step: string): unknown {
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, step)) return undefined;
  return (parent as Record<string, unknown>)[step];
}

const unescapePointer = (step: string): string => step.replaceAll("~1", "/").replaceAll("~0", "~");
const escapePointer = (step: string): string => step.replaceAll("~", "~0").replaceAll("/", "~1");
