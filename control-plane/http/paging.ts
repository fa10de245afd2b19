import { ProblemError } from "./problems.ts";

/** The sort keys of the last entry of a page, opaque to the client. */
export function encodeCursor(keys: readonly string[]): string {
  return Buffer.from(JSON.stringify(keys), "utf8").toString("base64url");
}

/**
 * Reads what `encodeCursor` made for `count` keys. Throws ProblemError for anything else.
 * The keys are still the client's word: give them to SQL as parameters, behind `accept`.
 */
export function decodeCursor(
  cursor: string,
  count: number,
  accept: (keys: string[]) => boolean = () => true,
): string[] {
  let keys: unknown;
  try {
    keys = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    keys = undefined;
  }
  if (Array.isArray(keys) && keys.length === count && keys.every((key) => typeof key === "string") && accept(keys))
    return keys;
  throw new ProblemError("validation_failed", "The cursor is not one that this list gave out.", {
    errors: [
      {
        pointer: "?cursor",
        code: "invalid",
        detail: "use `next_cursor` of the page before, unchanged, with the same filters",
      },
    ],
  });
}

/** For the common order: by a time (with all its microseconds, as text) and an id. */
export const timeAndId = ([time = ""]: string[]): boolean => {
  const [, date, clock] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d{1,6})?\+00$/.exec(time) ?? [];
  if (date === undefined || date.startsWith("0000")) return false;
  // Postgres refuses a 31st of February; Date makes a day in March of it.
  const read = new Date(`${date}T${clock}Z`);
  return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(`${date}T${clock}`);
};

/** Cuts the row that was read beyond the page, and says where the next page starts. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  keysOf: (row: Row) => string[],
): { page: Row[]; next_cursor: string | null; has_more: boolean } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const has_more = rows.length > limit;
  return { page, next_cursor: has_more && last !== undefined ? encodeCursor(keysOf(last)) : null, has_more };
}
