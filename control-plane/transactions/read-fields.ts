// Transaction data that breaks its schema is stored all the same, so its readers take nothing for granted.

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A text, or the text of a number. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;

/** An integer that fits the column, or undefined: 1.6 schemas bound no integer. */
export function int4Of(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2_147_483_647 ? value : undefined;
}
