import type { BenchRow } from "./contract.ts";

/** Whether the row reaches what is to be reached. */
export const reaches = ({ figure, target }: BenchRow): boolean =>
  "atLeast" in target ? figure >= target.atLeast : figure <= target.atMost;

/** Whether the row is so far off that the run fails. A figure that is none is. */
export const isFarOff = ({ figure, fails }: BenchRow): boolean =>
  !Number.isFinite(figure) || (fails !== undefined && ("below" in fails ? figure < fails.below : figure > fails.above));

const HEADINGS = ["what", "figure", "target", "", "behind it"];

/** The rows as a Markdown table, aligned so that it reads well on a terminal too. */
export function tableOf(rows: readonly BenchRow[]): string {
  const cells = rows.map((row) => [
    row.what,
    `${figureText(row.figure)} ${row.unit}`,
    "atLeast" in row.target ? `≥ ${row.target.atLeast}` : `≤ ${row.target.atMost}`,
    isFarOff(row) ? "FAR OFF" : reaches(row) ? "reached" : "missed",
    row.behind,
  ]);
  const widths = HEADINGS.map((heading, at) => Math.max(3, heading.length, ...cells.map((row) => width(row[at]))));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell + " ".repeat((widths[at] as number) - cell.length)).join(" | ")} |`;
  return [line(HEADINGS), line(widths.map((length) => "-".repeat(length))), ...cells.map(line)].join("\n");
}

const width = (cell: string | undefined) => cell?.length ?? 0;

/** Three digits that count, and no more. */
function figureText(figure: number): string {
  if (!Number.isFinite(figure)) return "none";
  const whole = Math.abs(figure) >= 100;
  return whole ? String(Math.round(figure)) : figure.toFixed(Math.abs(figure) >= 10 ? 1 : 2);
}
