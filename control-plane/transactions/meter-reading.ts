import { storableText } from "../message-log/storable-text.ts";
import { decimalOf, shiftDecimal } from "./decimal-text.ts";
import { isObject, textOf } from "./read-fields.ts";

/** What stands at one place of a row of meter values. The defaults of the spec are filled in (C16 SampledValue, P2 SampledValueType). */
export interface ShapeMember {
  measurand: string;
  phase: string | null;
  location: string;
  context: string;
  /** The base unit of `vals`: kWh has become Wh. Null: the station named none, and the measurand has no default. */
  unit: string | null;
  /** `vals` = the station's number × 10^shift. */
  shift: number;
}

/** One MeterValue element: what a station measured at one moment. */
export interface MeterReading {
  sampledAt: Date | null;
  shape: ShapeMember[];
  /** Decimals in the members' units; null where the station's text is no number. */
  values: (string | null)[];
  /** The station's texts, null where they follow from value and shift; undefined when all do. */
  raw: (string | null)[] | undefined;
}

/** Prefixed units and how far they lie from their base. */
const BASE_UNIT = new Map<string, { unit: string; shift: number }>([
  ["kWh", { unit: "Wh", shift: 3 }],
  ["kvarh", { unit: "varh", shift: 3 }],
  ["kW", { unit: "W", shift: 3 }],
  ["kVA", { unit: "VA", shift: 3 }],
  ["kVAh", { unit: "VAh", shift: 3 }],
  ["kvar", { unit: "var", shift: 3 }],
  // The misspelling of the first 1.6 schemas (J16-E §2).
  ["Celcius", { unit: "Celsius", shift: 0 }],
]);

/** No station measures more at once; the rest of a longer one stays in the message log. */
const MAX_SAMPLES = 200;

/**
 * Reads the `meterValue` / `transactionData` list of any version, with numbers as texts (exact-json.ts). Tolerant, since
 * transaction data that breaks its schema is kept too: what cannot be read is left out.
 */
export function readMeterValues(list: unknown): MeterReading[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((element: unknown) => {
    if (!isObject(element) || !Array.isArray(element["sampledValue"])) return [];
    const samples = element["sampledValue"].filter(isObject).slice(0, MAX_SAMPLES);
    return samples.length === 0 ? [] : [toReading(readTime(element["timestamp"]), samples)];
  });
}

/** The station's time, or null: not a time, or one that Postgres or a person could do nothing with (year 0). */
export function readTime(value: unknown): Date | null {
  if (typeof value !== "string") return null;
  // Leap seconds are valid RFC 3339, and unknown to Date.
  const time = new Date(value.replace(/:60(?=[.Z+-])/, ":59"));
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999 ? time : null;
}

function toReading(sampledAt: Date | null, samples: Record<string, unknown>[]): MeterReading {
  const shape = samples.map(memberOf);
  const texts = samples.map((sample) => storableText(textOf(sample["value"]) ?? ""));
  const values = texts.map((text, place) => shiftDecimal(text, (shape[place] as ShapeMember).shift) ?? null);
  const raw = texts.map((text, place) => {
    const value = values[place];
    return typeof value === "string" && shiftDecimal(value, -(shape[place] as ShapeMember).shift) === text
      ? null
      : text;
  });
  return { sampledAt, shape, values, raw: raw.every((text) => text === null) ? undefined : raw };
}

function memberOf(sample: Record<string, unknown>): ShapeMember {
  const text = (name: string) =>
    typeof sample[name] === "string" ? storableText(sample[name]).slice(0, 64) : undefined;
  const measurand = text("measurand") ?? "Energy.Active.Import.Register";
  // 1.6: `unit`. 2.x: `unitOfMeasure {unit, multiplier}`, with the multiplier as a power of ten (P2 UnitOfMeasureType).
  const unitOfMeasure = isObject(sample["unitOfMeasure"]) ? sample["unitOfMeasure"] : {};
  const given =
    text("unit") ??
    (typeof unitOfMeasure["unit"] === "string" ? storableText(unitOfMeasure["unit"]).slice(0, 64) : undefined);
  const multiplier = Number(unitOfMeasure["multiplier"] ?? 0);
  const { unit, shift } = BASE_UNIT.get(given ?? "") ?? { unit: given ?? defaultUnit(measurand), shift: 0 };
  return {
    measurand,
    phase: text("phase") ?? null,
    location: text("location") ?? "Outlet",
    context: text("context") ?? "Sample.Periodic",
    unit,
    shift: shift + (Number.isInteger(multiplier) && Math.abs(multiplier) <= 30 ? multiplier : 0),
  };
}

const defaultUnit = (measurand: string): string | null => (measurand.startsWith("Energy.Active") ? "Wh" : null);

/** The total energy register (no phase) of a list of readings, in Wh: the first that says it, preferably in this context. */
export function energyRegisterWh(readings: readonly MeterReading[], context: string): string | null {
  let found: string | null = null;
  for (const reading of readings) {
    for (const [place, member] of reading.shape.entries()) {
      const value = reading.values[place];
      if (
        member.measurand !== "Energy.Active.Import.Register" ||
        member.phase !== null ||
        member.unit !== "Wh" ||
        value == null
      )
        continue;
      if (member.context === context) return value;
      found ??= value;
    }
  }
  return found;
}

/** A whole number of Wh (1.6 meterStart, meterStop) as a decimal, or null. */
export const wattHours = (text: string): string | null => decimalOf(text) ?? null;
