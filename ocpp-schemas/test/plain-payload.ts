import type { JsonSchema, SchemaSet } from "../generation/json-schema.ts";
import type { Chance } from "./chance.ts";

/**
 * A valid payload as a station could write it, with nothing in it that a scanner may leave open: fields in any order, white
 * space anywhere, values at their limits and within.
 */
export function plainPayload(schema: JsonSchema, definitions: SchemaSet["definitions"], chance: Chance): string {
  // Most stations write either none or one blank behind colons and commas.
  const space = chance.pick([() => "", () => "", () => " ", () => chance.pick(["", "", " ", "\n  ", "\t", "\r\n"])]);
  return write(schema, 0);

  function write(at: JsonSchema, depth: number): string {
    if (at.$ref !== undefined) return write(definitions.get(at.$ref) ?? {}, depth);
    if (at.enum !== undefined) return `"${chance.pick(at.enum)}"`;
    switch (at.type) {
      case "object":
        return writeObject(at, depth);
      case "array":
        return writeArray(at, depth);
      case "boolean":
        return chance.pick(["true", "false"]);
      case "integer":
      case "number":
        return plainNumber(at, chance);
      case "string":
        return `"${at.format === undefined ? plainText(at.maxLength, chance) : plainDateTime(chance)}"`;
      default: // any JSON
        return `"${plainText(undefined, chance)}"`;
    }
  }

  function writeObject({ properties = {}, required = [] }: JsonSchema, depth: number): string {
    const rarity = chance.pick([1, 2, 4]) + depth;
    const names = Object.keys(properties).filter((name) => required.includes(name) || chance.oneIn(rarity));
    const members = chance.shuffled(names).map((name) => {
      const value = write(properties[name] ?? {}, depth + 1);
      return `"${name}"${space()}:${space()}${value}`;
    });
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
  }

  function writeArray({ items = {}, minItems = 0, maxItems = Infinity }: JsonSchema, depth: number): string {
    const most = chance.oneIn(10 + depth * 10)
      ? Math.min(maxItems, 40)
      : Math.min(maxItems, Math.max(minItems, 3 - depth));
    const entries = Array.from({ length: chance.between(minItems, Math.max(minItems, most)) }, () =>
      write(items, depth + 1),
    );
    return `[${space()}${entries.join(`${space()},${space()}`)}${space()}]`;
  }
}

/** Every byte that stands for itself in a JSON string. */
const PLAIN = Array.from({ length: 0x60 }, (_, i) => String.fromCharCode(0x20 + i)).filter(
  (character) => character !== '"' && character !== "\\",
);

function plainText(maxLength: number | undefined, chance: Chance): string {
  const some = Math.min(chance.below(30), maxLength ?? 30);
  const length = maxLength === undefined ? some : chance.pick([some, some, maxLength, Math.max(0, maxLength - 1), 0]);
  // Only the ends of a long text are drawn: thousands of draws would add nothing.
  const ends = Array.from({ length: Math.min(length, 20) }, () => chance.pick(PLAIN)).join("");
  return ends.padEnd(length, "x");
}

function plainNumber({ type, minimum, maximum }: JsonSchema, chance: Chance): string {
  const least = minimum ?? -999_999_999_999_999;
  const most = maximum ?? 999_999_999_999_999;
  const near = Math.max(least, Math.min(most, chance.between(-20, 20)));
  // Never -0, which String() would write as 0 anyway.
  const whole = chance.pick([least, most, near, near, Math.max(least, Math.min(most, chance.below(1e9)))]);
  const withFraction = type === "number" && chance.oneIn(2) && whole !== least && whole !== most;
  return withFraction ? `${whole}.${String(chance.below(1e9)).padStart(chance.between(1, 20), "0")}` : String(whole);
}

function plainDateTime(chance: Chance): string {
  const two = (least: number, most: number) => String(chance.between(least, most)).padStart(2, "0");
  const days = [
    `${chance.pick(["0000", "1970", "2026", "9999"])}-${two(1, 12)}-${two(1, 28)}`,
    `2026-${chance.pick(["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31"])}`,
    `${chance.pick(["2000", "2024", "2400", "0004", "0000"])}-02-29`,
  ];
  const fraction = chance.oneIn(2) ? "" : `.${"9".repeat(chance.between(1, 9))}`;
  const zone = chance.pick(["Z", "Z", "+00:00", "-23:59", `+${two(0, 23)}:${two(0, 59)}`]);
  return `${chance.pick(days)}T${two(0, 23)}:${two(0, 59)}:${two(0, 59)}${fraction}${zone}`;
}
