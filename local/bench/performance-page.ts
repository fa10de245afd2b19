import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import type { BenchRow } from "./contract.ts";
import { tableOf } from "./print-table.ts";

const BEGIN = "<!-- figures: written by npm run bench -->";
const END = "<!-- end of figures -->";

/** Puts the text between the markers of a page. Throws when they are not there, once each and in order. */
export function betweenMarkers(page: string, text: string): string {
  const [before, rest, ...more] = page.split(BEGIN);
  const [, after, ...evenMore] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined || more.length + evenMore.length > 0)
    throw new Error(`want ${BEGIN} and ${END} once each, in this order`);
  return `${before}${BEGIN}\n${text}\n${END}${after}`;
}

/** Writes the figures of a run into docs/performance.md, with what they were measured on. */
export function writePerformancePage(run: {
  rows: readonly BenchRow[];
  machine: readonly [name: string, value: string][];
  repetitions: number;
  minutes: number;
}): void {
  const file = join(FOLDERS.root, "docs", "performance.md");
  const { rows, machine, repetitions, minutes } = run;
  const made = machine.map(([name, value]) => (name === "date" ? value : `${name} ${value}`)).join(" · ");
  const text = `${tableOf(rows)}\n\n\`npm run bench\` in ${Math.round(minutes)} min, medians of ${repetitions} repetitions. ${made}`;
  writeFileSync(file, betweenMarkers(readFileSync(file, "utf8"), text));
}
