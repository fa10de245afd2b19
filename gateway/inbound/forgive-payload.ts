// What a quirk profile forgives in a payload. The validators stop at the first mistake, so a copy is put right mistake by
// mistake; if nothing but forgivable ones were in it, the payload counts as valid. The copy is thrown away: what is stored
// and decided on is what the station wrote.

import { parseDateTime } from "@dynamo-csms/ocpp-schemas/date-time";
import { firstSchemaError, type PayloadKind } from "@dynamo-csms/ocpp-schemas/validators";
import type { SchemaError } from "@dynamo-csms/ocpp-schemas/explain-schema-error";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { QuirkName, QuirkSettings } from "@dynamo-csms/proto/quirks";

export type PayloadQuirk = Extract<QuirkName, "over_long_strings" | "odd_timestamps" | "unknown_fields">;

/** Which quirks a payload had, each with a place in words, without anything of its values. */
export type Forgiven = ReadonlyMap<PayloadQuirk, string>;

interface Checked {
  version: OcppVersion;
  action: string;
  kind: PayloadKind;
}

/**
 * Kinds of mistakes at different places of a message, not their number: one at every sample of a meter value is one. A
 * firmware has a few. Each costs another look at the whole payload, so a large one may have fewer.
 */
const MAX_MISTAKES = 32;
const MIN_MISTAKES = 3;
/** Values looked at, over all looks. */
const MAX_LOOKS = 40_000;
const MAX_PLACE = 150;
/** Stands for an empty timestamp while the rest is looked at. */
const SOME_TIME = "2000-01-01T00:00:00Z";

/**
 * What is wrong with a payload, if that is nothing but what `quirks` names (whatever their modes); undefined: there are
 * other mistakes in it.
 * @param payload breaks its schema
 */
export function forgivePayload(checked: Checked, payload: unknown, quirks: QuirkSettings): Forgiven | undefined {
  const { over_long_strings, odd_timestamps, unknown_fields } = quirks;
  if (over_long_strings === undefined && odd_timestamps === undefined && unknown_fields === undefined) return undefined;
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined;
  const counted = { values: 0 };
  const copy = copyOf(payload, counted) as object;
  const allowed = Math.max(MIN_MISTAKES, Math.min(MAX_MISTAKES, Math.floor(MAX_LOOKS / counted.values)));
  const forgiven = new Map<PayloadQuirk, string>();
  for (let mistakes = 0; mistakes <= allowed; mistakes++) {
    const error = firstSchemaError(checked.version, checked.action, checked.kind, copy);
    if (error === undefined) return forgiven;
    const repair = repairFor(error, quirks);
    const place = repair === undefined ? undefined : repairAll(copy, error, repair.change);
    if (repair === undefined || place === undefined) return undefined;
    if (!forgiven.has(repair.quirk)) forgiven.set(repair.quirk, `${checked.action}: ${place}${repair.words}`);
  }
  return undefined;
}

/** Behind the nesting limit of frames (MAX_NESTING). Object.fromEntries makes "__proto__" a field like any other. */
function copyOf(value: unknown, counted: { values: number }): unknown {
  counted.values += 1;
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return value.map((part) => copyOf(part, counted));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyOf(part, counted)]));
}

/** What the value becomes; REMOVED: nothing; undefined: it cannot be put right. */
type Change = (value: unknown) => unknown;
const REMOVED = Symbol("removed");

function repairFor(
  { keyword, params }: SchemaError,
  quirks: QuirkSettings,
): { quirk: PayloadQuirk; change: Change; words: string } | undefined {
  if (keyword === "maxLength" && quirks.over_long_strings !== undefined) {
    const limit = Number(params["limit"]);
    const longest = quirks.over_long_strings.max_length;
    const change: Change = (value) =>
      // UTF-16 units are never fewer than the characters that the schema counts.
      typeof value === "string" && value.length > limit && value.length <= longest ? value.slice(0, limit) : undefined;
    return { quirk: "over_long_strings", change, words: `: longer than ${limit} characters` };
  }
  if (keyword === "format" && params["format"] === "date-time" && quirks.odd_timestamps !== undefined)
    return { quirk: "odd_timestamps", change: regularTime, words: ": no RFC 3339 time" };
  if (keyword === "additionalProperties" && quirks.unknown_fields !== undefined)
    return { quirk: "unknown_fields", change: () => REMOVED, words: ": unknown field" };
  return undefined;
}

/** A time without zone, with blanks for its T or around it, or none at all. */
function regularTime(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (text === "") return SOME_TIME;
  return parseDateTime(text)?.toISOString();
}

/**
 * Puts right the mistake at its place, and its like at the same place of all other elements of the arrays on the way:
 * what a firmware does wrong, it does wrong in each. Gives back the place in words; undefined: it cannot be put right.
 */
function repairAll(root: object, error: SchemaError, change: Change): string | undefined {
  const steps = error.instancePath
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const named = error.params["additionalProperty"];
  if (typeof named === "string") steps.push(named);
  const last = steps.pop();
  if (last === undefined) return undefined;

  let words = "";
  let parents: object[] = [root];
  let parent: unknown = root;
  for (const step of steps) {
    const isArray = Array.isArray(parent);
    words += isArray ? "[]" : `${words === "" ? "" : "."}${step}`;
    parent = childOf(parent, step);
    parents = parents.flatMap((at) =>
      (Array.isArray(at) && isArray ? (at as unknown[]) : [childOf(at, step)]).filter(isObject),
    );
  }
  if (!isObject(parent) || change(childOf(parent, last)) === undefined) return undefined;
  for (const at of parents) changeAt(at, Array.isArray(at) ? Object.keys(at) : [last], change);
  words += Array.isArray(parent) ? "[]" : `${words === "" ? "" : "."}${last}`;
  // The last step may be a name that the station made up.
  return words.slice(0, MAX_PLACE).replace(/[^\x20-\x7e]/g, "?");
}

function changeAt(parent: object, keys: readonly string[], change: Change): void {
  const fields = parent as Record<string, unknown>;
  for (const key of keys) {
    if (!Object.hasOwn(fields, key)) continue;
    const changed = change(fields[key]);
    if (changed === REMOVED) delete fields[key];
    else if (changed !== undefined) fields[key] = changed;
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

function childOf(parent: unknown, step: string): unknown {
  if (!isObject(parent) || !Object.hasOwn(parent, step)) return undefined;
  return (parent as Record<string, unknown>)[step];
}
