import { parseDateTime } from "@dynamo-csms/ocpp-schemas/date-time";
import { storableText } from "../message-log/storable-text.ts";
import { addDecimals, decimalOf, shiftDecimal } from "./decimal-text.ts";
import { isObject, textOf } from "./read-fields.ts";
import { type SignedSample, signedSampleOf } from "./signed-sample.ts";

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
  /** What the meter signed; absent: nothing. */
  signed?: SignedSample[];
}

/** Prefixed units and how far they lie from their base; the names in lower case, since stations write KWh and kwh. */
const BASE_UNIT = new Map<string, { unit: string; shift: number }>([
  ["wh", { unit: "Wh", shift: 0 }],
  ["kwh", { unit: "Wh", shift: 3 }],
  ["varh", { unit: "varh", shift: 0 }],
  ["kvarh", { unit: "varh", shift: 3 }],
  ["vah", { unit: "VAh", shift: 0 }],
  ["kvah", { unit: "VAh", shift: 3 }],
  ["w", { unit: "W", shift: 0 }],
  ["kw", { unit: "W", shift: 3 }],
  ["va", { unit: "VA", shift: 0 }],
  ["kva", { unit: "VA", shift: 3 }],
  ["var", { unit: "var", shift: 0 }],
  ["kvar", { unit: "var", shift: 3 }],
  ["v", { unit: "V", shift: 0 }],
  ["a", { unit: "A", shift: 0 }],
  // The misspelling of the first 1.6 schemas (J16-E §2).
  ["celcius", { unit: "Celsius", shift: 0 }],
]);

/** No station measures more at once; the rest of a longer one stays in the message log. */
export const MAX_SAMPLES = 200;

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

/** Seconds may be missing, and the zone: UTC is what the specification wants (C16 §3.15), so it is what is meant. */
const TIME = /^(\d{4})-(\d\d)-(\d\d)[tT ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?([zZ]|[+-]\d\d(?::?\d\d)?)?$/;

/** The station's time, or null: not a time, or one that Postgres or a person could do nothing with (year 0). */
export function readTime(value: unknown): Date | null {
  if (typeof value !== "string") return null;
  const usual = readUsualTime(value);
  if (usual !== undefined) return usual;
  const [, year, month, day, minutes, seconds = ":00", fraction, zone = "Z"] = TIME.exec(value.trim()) ?? [];
  if (year === undefined || month === undefined || day === undefined || minutes === undefined) return null;
  // Date makes a day in March of a 30th of February.
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day)) return null;
  const decimals = fraction === undefined ? "" : `.${fraction}`;
  const time = parseDateTime(`${year}-${month}-${day}T${minutes}${seconds}${decimals}${zone}`);
  if (time === undefined) return null;
  const inYear = time.getUTCFullYear();
  return inYear >= 1 && inYear <= 9999 ? time : null;
}

const USUAL_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/;

/** A time as nearly all stations write it, read in a fifth of the time; undefined: odd in some way, the tolerant reader judges. */
function readUsualTime(text: string): Date | undefined {
  const match = USUAL_TIME.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // Date.UTC makes 1926 of 26, and a day in March of a 30th of February.
  if (year < 100 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second, milliseconds));
  return time.getUTCDate() === day ? time : undefined;
}

function toReading(sampledAt: Date | null, samples: Record<string, unknown>[]): MeterReading {
  const shape = samples.map(memberOf);
  const texts = samples.map((sample) => storableText(textOf(sample["value"]) ?? ""));
  const { values, raw } = toValues(texts, shape);
  const signed = samples.flatMap((sample) => signedSampleOf(sample) ?? []);
  return {
    sampledAt,
    shape,
    values,
    raw,
    ...(signed.length === 0 ? {} : { signed }),
  };
}

/** Plain decimals stay as they are. */
const CANONICAL = /^-?(?:0|[1-9]\d{0,40})(?:\.\d{1,40})?$/;

/** The values of samples from their texts, and the texts where they do not follow from the values. */
export function toValues(
  texts: readonly string[],
  shape: readonly ShapeMember[],
): Pick<MeterReading, "values" | "raw"> {
  const values: (string | null)[] = [];
  let raw: (string | null)[] | undefined;
  for (let place = 0; place < texts.length; place += 1) {
    const [text, { shift }] = [texts[place] as string, shape[place] as ShapeMember];
    const value = shift === 0 && CANONICAL.test(text) ? text : (shiftDecimal(text, shift) ?? null);
    values.push(value);
    if (value === text && shift === 0) continue;
    if (value !== null && shiftDecimal(value, -shift) === text) continue;
    raw ??= texts.map(() => null);
    raw[place] = text;
  }
  return { values, raw };
}

/** What a SampledValue says, beside its value. */
export function memberOf(sample: Record<string, unknown>): ShapeMember {
  const text = (name: string) =>
    typeof sample[name] === "string" ? storableText(sample[name]).slice(0, 64) : undefined;
  const measurand = text("measurand") ?? "Energy.Active.Import.Register";
  // 1.6: `unit`. 2.x: `unitOfMeasure {unit, multiplier}`, with the multiplier as a power of ten (P2 UnitOfMeasureType).
  const unitOfMeasure = isObject(sample["unitOfMeasure"]) ? sample["unitOfMeasure"] : {};
  const given =
    text("unit") ??
    (typeof unitOfMeasure["unit"] === "string" ? storableText(unitOfMeasure["unit"]).slice(0, 64) : undefined);
  const multiplier = Number(unitOfMeasure["multiplier"] ?? 0);
  const { unit, shift } = BASE_UNIT.get((given ?? "").toLowerCase()) ?? {
    unit: given ?? defaultUnit(measurand),
    shift: 0,
  };
  return {
    measurand,
    phase: text("phase") ?? null,
    location: text("location") ?? "Outlet",
    context: text("context") ?? "Sample.Periodic",
    unit,
    shift: shift + (Number.isInteger(multiplier) && Math.abs(multiplier) <= 30 ? multiplier : 0),
  };
}

/** Energy comes in Wh when no unit is named (C16 §7.45, P2 UnitOfMeasureType), that is in the Wh of its kind. */
function defaultUnit(measurand: string): string | null {
  if (!measurand.startsWith("Energy.")) return null;
  return measurand.startsWith("Energy.Reactive") ? "varh" : measurand.startsWith("Energy.Apparent") ? "VAh" : "Wh";
}

/**
 * The energy register of a list of readings, in Wh: the first that says it, preferably in this context and at the outlet.
 * The total where a meter says it, else the sum of the three phases.
 */
export function energyRegisterWh(readings: readonly MeterReading[], context: string): string | null {
  let found: string | null = null;
  for (const reading of readings) {
    for (const register of registersOf(reading)) {
      if (register.context === context) return register.energyWh;
      found ??= register.energyWh;
    }
  }
  return found;
}

/** By preference: totals, then sums of phases; of each those of the outlet first. */
function registersOf({ shape, values }: MeterReading): { context: string; energyWh: string }[] {
  const samples = shape.flatMap((member, place) => {
    const value = values[place];
    const isRegister = member.measurand === "Energy.Active.Import.Register" && member.unit === "Wh" && value != null;
    return isRegister ? [{ ...member, value }] : [];
  });
  const outletFirst = samples.toSorted((a, b) => Number(b.location === "Outlet") - Number(a.location === "Outlet"));
  const totals = outletFirst.filter(({ phase }) => phase === null);
  const sums = outletFirst
    .filter(({ phase }) => phase === "L1" || phase === "L1-N")
    .flatMap((first) => {
      const others = ["L2", "L3"].map((phase) =>
        outletFirst.find(
          (other) =>
            other.context === first.context &&
            other.location === first.location &&
            other.phase === first.phase?.replace("L1", phase),
        ),
      );
      const [second, third] = others;
      return second === undefined || third === undefined
        ? []
        : [{ context: first.context, value: addDecimals(addDecimals(first.value, second.value), third.value) }];
    });
  return [...totals, ...sums].map((register) => ({ context: register.context, energyWh: register.value }));
}

/** A whole number of Wh (1.6 meterStart, meterStop) as a decimal, or null. */
export const wattHours = (text: string): string | null => decimalOf(text) ?? null;
