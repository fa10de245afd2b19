// `npm run bench`: measures what the product costs beside references that are measured in the same run, prints the table, and
// after a full run writes it into docs/performance.md. Ends with 1 when a figure is far off or none, or when something could not
// be measured; the short form lets a row pass of which the kernel says that others had the CPU each time, as long as it is few.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BENCHES } from "./benches.ts";
import type { BenchRow } from "./contract.ts";
import { FOLDERS } from "../folders.ts";
import { describeMachine } from "./machine.ts";
import { MachineTooBusy } from "./measure-in-turn.ts";
import { readOptions, USAGE, type BenchOptions } from "./options.ts";
import { writePerformancePage } from "./performance-page.ts";
import { isFarOff, reaches, tableOf } from "./print-table.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const listing = BENCHES.map(({ id, title }) => `  ${id.padEnd(18)}${title}`).join("\n");

let options: BenchOptions;
try {
  options = readOptions(
    process.argv.slice(2),
    BENCHES.map(({ id }) => id),
  );
} catch (cause) {
  process.stderr.write(`${(cause as Error).message}\n${USAGE}\n`);
  process.exit(2);
}
if (options.help) {
  say(`${USAGE}\n\n${listing}`);
  process.exit(0);
}

const { only, short, repetitions, json } = options;
const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-bench-"));
// Postgres runs as another user.
chmodSync(folder, 0o755);
const startedAtMs = performance.now();
const minutesSince = (ms: number) => (performance.now() - ms) / 60_000;
const { machine, versions } = await describeMachine();
say(`${machine}\n${versions}`);
const rows: BenchRow[] = [];
const failures: string[] = [];
const tooBusy: string[] = [];
const benches = BENCHES.filter(({ id }) => only === undefined || only.has(id));
for (const bench of benches) {
  say(`── ${bench.title} (${bench.id})`);
  const beganAtMs = performance.now();
  try {
    const found = await bench.run({ repetitions, short, folder, report: (line) => say(`   ${line}`) });
    if (found.length === 0) throw new Error("no figure came of it");
    rows.push(...found);
  } catch (cause) {
    const failure = `COULD NOT RUN ${bench.id}: ${cause instanceof Error ? cause.message : String(cause)}`;
    say(failure);
    if (short && cause instanceof MachineTooBusy) tooBusy.push(failure);
    else failures.push(failure);
  }
  say(`   ${minutesSince(beganAtMs).toFixed(1)} min`);
  // What is found is not lost with what comes after it.
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, undefined, 2)}\n`);
}
if (tooBusy.length > benches.length / 3) failures.push(`${tooBusy.length} of ${benches.length} could not be measured`);

if (rows.length > 0) say(`\n${tableOf(rows)}\n`);
for (const failure of [...failures, ...tooBusy]) say(failure);
const farOff = rows.filter(isFarOff);
for (const { what, figure, unit } of farOff) say(`FAR OFF ${what}: ${figure} ${unit}`);
const minutes = minutesSince(startedAtMs);
const aimed = rows.filter((row) => reaches(row) !== undefined);
say(`${rows.length} figures, ${aimed.filter(reaches).length} of ${aimed.length} reached; ${minutes.toFixed(1)} min`);

const ok = failures.length === 0 && farOff.length === 0;
const isWhole = only === undefined && !short && repetitions >= 5;
const page = options.page ?? (isWhole ? join(FOLDERS.root, "docs", "performance.md") : undefined);
if (ok && page !== undefined) {
  const command = ["npm run bench", ...(process.argv.length > 2 ? ["--"] : []), ...process.argv.slice(2)].join(" ");
  writePerformancePage(page, { rows, command, machine, versions, repetitions, minutes });
  say(`written: ${page}`);
}
if (failures.length === 0) rmSync(folder, { recursive: true, force: true });
else say(`logs: ${folder}`);
process.exit(ok ? 0 : 1);
