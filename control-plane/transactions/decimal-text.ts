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
