/** Control characters and those that turn a line around: what a charge point sent must not steer a terminal. */
// oxlint-disable-next-line no-control-regex -- it is these that are meant
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The text in one line of visible characters; others as `\uXXXX`. */
export const visible = (text: string): string =>
  text.replace(UNSEEN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A line of JSON with nothing in it that a terminal would obey. */
export const jsonLine = (row: object): string => visible(JSON.stringify(row));

/** Rows under headings, as wide as the widest of each column. `columns` are the names of the rows' fields. */
export function table(rows: readonly object[], columns: readonly string[]): string {
  const cells = rows.map((row) => columns.map((name) => cell((row as Record<string, unknown>)[name])));
  const lines = [columns.map((name) => name.toUpperCase()), ...cells];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index] ?? ""))));
  return lines
    .map((line) =>
      line
        .map((text, index) => pad(text, widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** One object as lines of `name  value`; what is nested has a name with dots. */
export function facts(row: object): string {
  const lines = flat(row, "");
  const width = Math.max(0, ...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}`).join("\n");
}

function flat(value: object, prefix: string): [string, unknown][] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]): [string, unknown][] => {
    const path = `${prefix}${name}`;
    const nested = typeof inner === "object" && inner !== null;
    const isList = Array.isArray(inner) && inner.every((entry) => typeof entry !== "object");
    return nested && !isList && Object.keys(inner).length > 0 ? flat(inner, `${path}.`) : [[path, inner]];
  });
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "string") return value === "" ? '""' : visible(value);
  if (Array.isArray(value)) return value.length === 0 ? "-" : visible(value.map(String).join(", "));
  return typeof value === "object" ? jsonLine(value) : JSON.stringify(value);
}

const lengthOf = (text: string): number => Array.from(text).length;
const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - lengthOf(text)));
