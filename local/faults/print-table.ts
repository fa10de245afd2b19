import type { FaultOutcome } from "./contract.ts";

/** True when the outcome breaks no promise. */
export const holds = (outcome: FaultOutcome): boolean =>
  outcome.breaches.length === 0 &&
  outcome.lost <= outcome.mayLose &&
  outcome.duplicated + outcome.disordered + outcome.wrongReplies + outcome.commandBreaches === 0;

const COLUMNS: [heading: string, of: (outcome: FaultOutcome) => string][] = [
  ["fault", (o) => o.id],
  ["on", (o) => o.topology],
  ["what was done", (o) => (o.skipped === undefined ? o.scaled : `NOT RUN: ${o.skipped}`)],
  ["acknowledged", (o) => count(o, o.acknowledged)],
  ["lost", (o) => (o.mayLose > 0 ? `${o.lost} (may ${o.mayLose})` : count(o, o.lost))],
  ["duplicated", (o) => count(o, o.duplicated)],
  ["disordered", (o) => count(o, o.disordered)],
  ["wrong replies", (o) => count(o, o.wrongReplies)],
  ["commands", (o) => count(o, o.commands)],
  ["without one end", (o) => count(o, o.commandBreaches)],
  ["back after", (o) => (o.skipped === undefined ? `${(o.recoverMs / 1_000).toFixed(1)} s` : "")],
  ["", (o) => (o.skipped === undefined ? (holds(o) ? "ok" : "BROKEN") : "skipped")],
];

const count = (outcome: FaultOutcome, figure: number) => (outcome.skipped === undefined ? String(figure) : "");

/** The outcomes as a Markdown table, aligned so that it reads well on a terminal too. */
export function tableOf(outcomes: readonly FaultOutcome[]): string {
  const rows = [COLUMNS.map(([heading]) => heading), ...outcomes.map((one) => COLUMNS.map(([, of]) => of(one)))];
  const widths = COLUMNS.map((_, at) => Math.max(3, ...rows.map((row) => (row[at] as string).length)));
  const line = (cells: string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] as number)).join(" | ")} |`;
  const [head = [], ...rest] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}
