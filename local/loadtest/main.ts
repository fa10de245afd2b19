// `npm run loadtest -- SCENARIO`: starts a system of its own, plays a scenario of loadtest/scenarios on it with k6, compares what
// the stations were told with what is stored, and writes a report. Ends with 0 when nothing is wrong.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeMachine } from "../bench/machine.ts";
import { FOLDERS } from "../folders.ts";
import { checkLedger } from "./check-ledger.ts";
import { costlyStatements, countStatements } from "./costly-statements.ts";
import { notFlat } from "./judge-flatness.ts";
import { highestRate, judgeSteps } from "./judge-ramp.ts";
import { awayOf } from "./judge-return.ts";
import { judgeUpgrade } from "./judge-upgrade.ts";
import { k6Program, type K6Program } from "./k6-program.ts";
import { type LoadtestOptions, readOptions, USAGE } from "./options.ts";
import { type Played, playScenario, registerStations } from "./play-scenario.ts";
import { htmlOf } from "./report-html.ts";
import { markdownOf } from "./report-markdown.ts";
import { makeReport, type Report } from "./report.ts";
import { openSystem } from "./open-system.ts";
import type { LoadedSystem } from "./start-system.ts";
import { storedBytes } from "./stored-bytes.ts";

/** A backlog that does not shrink for so long is not applied at all. */
const CATCH_UP_MS = 60_000;
/** What a process holds says nothing before its collector has been through all of it. */
const LEAST_SOAK_SECONDS = 180;

const say = (line: string) => process.stderr.write(`${line}\n`);

if (process.argv.includes("--help")) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}

let options: LoadtestOptions;
try {
  options = readOptions(process.argv.slice(2), FOLDERS.root);
} catch (cause) {
  say(`${(cause as Error).message}\n${USAGE}`);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  const report = await run(options);
  process.stdout.write(`\n${markdownOf(report)}\n`);
  say(`report: ${relative(process.cwd(), join(options.out, "report.html"))}`);
  for (const breach of report.breaches) say(`FAILED ${breach}`);
  process.exit(report.breaches.length === 0 ? 0 : 1);
} catch (cause) {
  say(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  say(`logs: ${options.out}`);
  process.exit(1);
}

async function run(wanted: LoadtestOptions): Promise<Report> {
  const k6 = await k6Program(FOLDERS.tools, say);
  rmSync(wanted.out, { recursive: true, force: true });
  mkdirSync(wanted.out, { recursive: true });
  const startedAt = new Date().toISOString();
  say(`${wanted.scenario}: starting gateways and all else`);
  const { system, meanwhile, upgrade } = await openSystem(wanted, say);
  try {
    say(`${wanted.scenario}: registering ${wanted.stations} stations`);
    const stationsFile = join(wanted.out, "stations.csv");
    const stations = await registerStations(system, wanted, stationsFile);
    const around = { k6: k6.command, stationsFile, folder: wanted.out, say };
    const rate = await rateOf(system, wanted, around);
    say(`${wanted.scenario}: playing${rate === undefined ? "" : `, ${rate} messages a second`}`);
    if (wanted.statements) await countStatements(system);
    const before = await storedBytes(system);
    const played = await playScenario(
      system,
      { ...wanted, rate: rate === undefined ? undefined : { perSecond: rate } },
      { ...around, meanwhile },
    );
    const behind = await caughtUp(system);
    const statements = wanted.statements ? await costlyStatements(system) : [];
    const ledger = await checkLedger(system, played.result, played.since);
    const wrong = [
      ...played.breaches,
      ...(behind > 0 ? [`${behind} entries are not applied, and it does not get less`] : []),
      ...(played.result.ledgers.length < wanted.stations
        ? [`only ${played.result.ledgers.length} of ${wanted.stations} stations came to their end`]
        : []),
      ...awayOf(played.result, wanted),
      ...(wanted.scenario === "soak" ? flatnessOf(played, wanted) : []),
      ...(upgrade === undefined ? [] : judgeUpgrade(upgrade, played.result)),
    ];
    const facts = {
      scenario: wanted.scenario,
      command: `npm run loadtest -- ${process.argv.slice(2).join(" ")}`,
      startedAt,
      ...(await surroundings(k6)),
      stations,
      gateways: system.gateways.length,
      intakes: system.members.filter(({ kind }) => kind === "intake").length,
      rate,
      durationSeconds: wanted.durationSeconds,
      upgrade,
    };
    const after = await storedBytes(system);
    const stored = { database: after.database - before.database, wal: after.wal - before.wal };
    const report = makeReport(facts, played.result, played.samples, ledger, wrong, stored);
    if (wanted.statements)
      for (const { calls, milliseconds, query } of statements)
        say(`${milliseconds.toFixed(0)} ms in ${calls} × ${query}`);
    write(wanted.out, "report", report);
    if (wanted.publish) write(join(FOLDERS.root, "loadtest", "results"), wanted.scenario, report);
    return report;
  } finally {
    await system.close();
  }
}

/** Of the time in which the fleet is at its work: connecting fills every process. */
function flatnessOf({ samples, result }: Played, { durationSeconds }: LoadtestOptions): string[] {
  if (durationSeconds < LEAST_SOAK_SECONDS) {
    say(`memory and lag are not judged: in less than ${LEAST_SOAK_SECONDS} s heaps only fill`);
    return [];
  }
  const beganMs = result.phases[1]?.atMs ?? 0;
  return notFlat(samples.filter(({ atMs }) => atMs >= beganMs));
}

/** The rate of the run; one in per cent is of the highest that a ramp finds on the same system. */
async function rateOf(
  system: LoadedSystem,
  wanted: LoadtestOptions,
  around: Parameters<typeof playScenario>[2],
): Promise<number | undefined> {
  const { rate } = wanted;
  if (wanted.scenario === "ramp") return undefined; // it has its steps
  if (rate === undefined || "perSecond" in rate) return rate?.perSecond;
  say(`${wanted.scenario}: looking for the highest rate`);
  const folder = join(around.folder, "ramp");
  mkdirSync(folder, { recursive: true });
  const { result, samples } = await playScenario(
    system,
    { ...wanted, scenario: "ramp", rate: undefined },
    { ...around, folder },
  );
  const steps = judgeSteps(result.phases, result.metrics, samples);
  for (const { rate: step, wrong } of steps) say(`  ${step}/s: ${wrong.length === 0 ? "carried" : wrong.join("; ")}`);
  const highest = highestRate(steps);
  if (highest === undefined) throw new Error(`no step of the ramp was carried: --steps should begin lower`);
  await caughtUp(system);
  return Math.round((highest * rate.percent) / 100);
}

/** Waits until everything is applied, for as long as what is left gets less. @returns how many entries are left */
async function caughtUp(system: LoadedSystem): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let deadline = Date.now() + CATCH_UP_MS; ; await sleep(250)) {
    const behind = await system.entriesBehind(true);
    if (behind === 0) return 0;
    if (behind < least) deadline = Date.now() + CATCH_UP_MS;
    least = Math.min(least, behind);
    if (Date.now() > deadline) return behind;
  }
}

async function surroundings(k6: K6Program): Promise<Pick<Report, "machine" | "versions">> {
  const { machine, versions } = await describeMachine();
  return { machine, versions: `${versions}, k6 ${k6.version}` };
}

/** The looks at the system are in the page's drawings; beside it they would be most of the file. */
function write(folder: string, name: string, report: Report): void {
  mkdirSync(folder, { recursive: true });
  const { samples, ...figures } = report;
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(figures, undefined, 1)}\n`);
  writeFileSync(join(folder, `${name}.md`), markdownOf(report));
  writeFileSync(join(folder, `${name}.html`), htmlOf(report));
  if (folder === options.out) writeFileSync(join(folder, "samples.json"), `${JSON.stringify(samples)}\n`);
}
