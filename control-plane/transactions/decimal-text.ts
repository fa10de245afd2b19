// Meter values are kept as the decimals that the station sent. Going through a float would change them: 2^53 + 1 Wh is
// not a number that JavaScript has.

/** What numeric takes without complaint, and what a meter may plausibly say. */
const DECIMAL = /^([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,2}))?$/;

/** A shift of more places is no unit prefix. */
const MAX_SHIFT = 60;

/** The text as a plain decimal that Postgres' numeric takes, or undefined: not a number ("12,5", "", signed data). */
export function decimalOf(text: string): string | undefined {
  return shiftDecimal(text, 0);
}

/**
 * The decimal `text` × 10^places, exactly, by moving the point: "12.345" by 3 is "12345". Digits are neither added beyond
 * the point nor cut off, so that shifting back shows whether anything of the text was lost.
 * @returns undefined when the text is no decimal.
 */
export function shiftDecimal(text: string, places: number): string | undefined {
  const parts = DECIMAL.exec(text.trim());
  if (parts === null || Math.abs(places) > MAX_SHIFT) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = parts;
  const point = whole.length + Number(exponent) + places;
  const digits = whole + fraction;
  const before = point <= 0 ? "0" : digits.slice(0, point).padEnd(point, "0");
  const after = point >= digits.length ? "" : point <= 0 ? "0".repeat(-point) + digits : digits.slice(point);
  return `${sign === "-" ? "-" : ""}${before.replace(/^0+(?=\d)/, "")}${after === "" ? "" : `.${after}`}`;
}

/** a − b of two decimals that decimalOf or shiftDecimal gave, exactly. */
export const subtractDecimals = (a: string, b: string): string =>
  addDecimals(a, b.startsWith("-") ? b.slice(1) : `-${b}`);

/** a + b of two decimals that decimalOf or shiftDecimal gave, exactly. Zeros at the end of the fraction are dropped. */
export function addDecimals(a: string, b: string): string {
  const places = Math.max(fractionOf(a).length, fractionOf(b).length);
  const scaled = (text: string) => BigInt(text.replace(".", "") + "0".repeat(places - fractionOf(text).length));
  return withPoint(String(scaled(a) + scaled(b)), places);
}

const fractionOf = (text: string): string => text.split(".")[1] ?? "";

/** A whole number / 10^places. Not shiftDecimal: a sum may have more digits than a meter says. */
function withPoint(whole: string, places: number): string {
  const negative = whole.startsWith("-");
  const digits = (negative ? whole.slice(1) : whole).padStart(places + 1, "0");
  const fraction = digits.slice(digits.length - places).replace(/0+$/, "");
  return `${negative ? "-" : ""}${digits.slice(0, digits.length - places)}${places === 0 || fraction === "" ? "" : `.${fraction}`}`;
}
