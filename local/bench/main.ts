// `npm run bench`: measures what the product costs beside references that are measured in the same run, prints the table, and
// after a full run writes it into docs/performance.md. Ends with 1 when a figure is far off, or when something could not be
// measured; the short form only says it where others kept the machine too busy for a figure.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BENCHES } from "./benches.ts";
import type { BenchRow } from "./contract.ts";
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
const machine = await describeMachine();
say(machine.map(([name, value]) => `${name}: ${value}`).join("\n"));
const rows: BenchRow[] = [];
const failures: string[] = [];
const tooBusy: string[] = [];
for (const bench of BENCHES.filter(({ id }) => only === undefined || only.has(id))) {
  say(`── ${bench.title} (${bench.id})`);
  try {
    rows.push(...(await bench.run({ repetitions, short, folder, report: (line) => say(`   ${line}`) })));
  } catch (cause) {
    const failure = `COULD NOT RUN ${bench.id}: ${cause instanceof Error ? cause.message : String(cause)}`;
    say(failure);
    if (short && cause instanceof MachineTooBusy) tooBusy.push(failure);
    else failures.push(failure);
  }
}

if (rows.length > 0) say(`\n${tableOf(rows)}\n`);
for (const failure of [...failures, ...tooBusy]) say(failure);
const farOff = rows.filter(isFarOff);
for (const { what, figure, unit } of farOff) say(`FAR OFF ${what}: ${figure} ${unit}`);
const minutes = (performance.now() - startedAtMs) / 60_000;
say(`${rows.length} figures, ${rows.filter(reaches).length} reached; ${minutes.toFixed(1)} min`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, undefined, 2)}\n`);

const ok = failures.length === 0 && farOff.length === 0;
if (ok && only === undefined && !short && repetitions >= 5) {
  writePerformancePage({ rows, machine, repetitions, minutes });
  say("written: docs/performance.md");
}
if (failures.length === 0) rmSync(folder, { recursive: true, force: true });
else say(`logs: ${folder}`);
process.exit(ok ? 0 : 1);
