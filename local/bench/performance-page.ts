import { readFileSync, writeFileSync } from "node:fs";
import type { BenchRow } from "./contract.ts";
import type { MachineDescription } from "./machine.ts";
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

/** What a run has found, and everything that its figures depend on. */
export interface PublishedRun extends MachineDescription {
  rows: readonly BenchRow[];
  /** As it was typed. */
  command: string;
  repetitions: number;
  minutes: number;
}

/** Writes the figures of a run between the markers of a page. */
export function writePerformancePage(file: string, run: PublishedRun): void {
  writeFileSync(file, betweenMarkers(readFileSync(file, "utf8"), figuresText(run)));
}

function figuresText({ rows, command, repetitions, minutes, machine, versions }: PublishedRun): string {
  const many = repetitions === 1 ? "one repetition" : `medians of ${repetitions} repetitions`;
  const date = new Date().toISOString().slice(0, 10);
  return `${tableOf(rows)}

\`${command}\`, ${date}: ${many}, ${minutes < 1.5 ? "a minute" : `${Math.round(minutes)} minutes`} in all. ${machine}; servers, references, Redis,
Postgres and those who sent shared these cores. ${versions}.`;
}
