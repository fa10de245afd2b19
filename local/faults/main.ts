// `npm run test:faults`: breaks a system of real processes in every way of the catalogue while stations work, and compares
// what the stations were told with what is stored. Prints a table; ends with 1 when a promise was broken.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { faultsFor } from "./catalogue/faults-for.ts";
import { playFaults } from "./conductor.ts";
import type { FaultOutcome } from "./contract.ts";
import { readOptions, USAGE, type HarnessOptions } from "./options.ts";
import { holds, tableOf } from "./print-table.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);

let options: HarnessOptions;
try {
  options = readOptions(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${(cause as Error).message}\n${USAGE}\n`);
  process.exit(2);
}

const folder = options.keep ?? mkdtempSync(join(tmpdir(), "dynamo-csms-faults-"));
if (options.keep === undefined) chmodSync(folder, 0o755);
const startedAtMs = performance.now();
const outcomes: FaultOutcome[] = [];
const failures: string[] = [];
for (const topology of options.on) {
  const all = faultsFor(topology, options.scale.form, options.only);
  for (const postgres of [undefined, "replicated"] as const) {
    const faults = all.filter((fault) => fault.postgres === postgres);
    if (faults.length === 0) continue;
    const size = postgres === undefined ? options : smaller(options);
    try {
      await playFaults({ ...options, ...size, topology, postgres, faults, folder, say, outcome: tell });
    } catch (cause) {
      failures.push(`${topology}: ${(cause as Error).stack ?? String(cause)}`);
    }
  }
}

/** A second system beside the first costs its start; what it is for does not depend on its size. */
function smaller({ scale, stations, pace }: HarnessOptions): Pick<HarnessOptions, "stations" | "pace"> {
  return {
    stations: Math.min(stations, scale.pick("replicated.stations", 400, 1_500)),
    pace: Math.min(pace, scale.pick("replicated.pace", 120, 400)),
  };
}

function tell(outcome: FaultOutcome): void {
  outcomes.push(outcome);
  const { skipped, breaches, notes } = outcome;
  if (skipped !== undefined) say(`  NOT RUN: ${skipped}`);
  for (const note of notes) say(`  ${note}`);
  for (const breach of breaches) say(`  BROKEN: ${breach}`);
}

say(`\n${tableOf(outcomes)}\n`);
const broken = outcomes.filter((outcome) => outcome.skipped === undefined && !holds(outcome));
const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined);
for (const outcome of broken)
  for (const breach of outcome.breaches) say(`BROKEN ${outcome.topology} ${outcome.id}: ${breach}`);
for (const outcome of skipped) say(`NOT RUN ${outcome.topology} ${outcome.id}: ${outcome.skipped}`);
for (const failure of failures) say(`FAILED ${failure}`);
const acknowledged = outcomes.reduce((sum, outcome) => sum + outcome.acknowledged, 0);
const minutes = ((performance.now() - startedAtMs) / 60_000).toFixed(1);
say(
  `${outcomes.length - skipped.length} faults, ${broken.length} broken, ${skipped.length} not run; ${acknowledged} messages acknowledged; ${minutes} min`,
);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(outcomes, undefined, 2)}\n`);

const ok = broken.length === 0 && failures.length === 0 && outcomes.length > skipped.length;
if (options.keep === undefined && ok) rmSync(folder, { recursive: true, force: true });
else say(`logs and ledgers: ${folder}`);
process.exit(ok ? 0 : 1);
