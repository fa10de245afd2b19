import type { BenchRow } from "./contract.ts";

/** Whether the row reaches what is to be reached; undefined: nothing is. */
export function reaches({ figure, target }: BenchRow): boolean | undefined {
  if (target === undefined) return undefined;
  return "atLeast" in target ? figure >= target.atLeast : figure <= target.atMost;
}

/** Whether the row is so far off that the run fails. A figure that is none is, and so is a cost or a capacity of nothing. */
export const isFarOff = ({ figure, fails }: BenchRow): boolean =>
  !Number.isFinite(figure) ||
  figure === 0 ||
  (fails !== undefined && ("below" in fails ? figure < fails.below : figure > fails.above));

const HEADINGS = ["what", "figure", "target", "", "behind it"];

/** The rows as a Markdown table, aligned so that it reads well on a terminal too. */
export function tableOf(rows: readonly BenchRow[]): string {
  const cells = rows.map((row) => [
    row.what,
    `${figureText(row.figure)} ${row.unit}`,
    targetText(row),
    isFarOff(row) ? "FAR OFF" : row.target === undefined ? "" : reaches(row) ? "reached" : "missed",
    row.behind,
  ]);
  const widths = HEADINGS.map((heading, at) => Math.max(3, heading.length, ...cells.map((row) => width(row[at]))));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell + " ".repeat((widths[at] as number) - cell.length)).join(" | ")} |`;
  return [line(HEADINGS), line(widths.map((length) => "-".repeat(length))), ...cells.map(line)].join("\n");
}

function targetText({ target }: BenchRow): string {
  if (target === undefined) return "";
  return "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
}

const width = (cell: string | undefined) => cell?.length ?? 0;

/** Three digits that count, and no more. */
function figureText(figure: number): string {
  if (!Number.isFinite(figure)) return "none";
  const whole = Math.abs(figure) >= 100;
  return whole ? String(Math.round(figure)) : figure.toFixed(Math.abs(figure) >= 10 ? 1 : 2);
}
