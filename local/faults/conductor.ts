// Plays faults one after the other on one system, with the fleet at work all the time. After each one everything has to come
// back, and the ledgers are compared with Postgres.

import { availableParallelism } from "node:os";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Fault, FaultOutcome, FaultReport, FaultySystem, Fleet, Scale, Topology, World } from "./contract.ts";
import { startFleet } from "./fleet/start-fleet.ts";
import { startCommands } from "./judge/command-load.ts";
import { judgeCalls, prepareJudge } from "./judge/judge-calls.ts";
import { CommandJudge } from "./judge/judge-commands.ts";
import { LedgerReader } from "./judge/read-ledgers.ts";
import { Segments } from "./judge/segment.ts";
import { FLEET_TAG, startSystem } from "./system/start-system.ts";
import { until } from "./until.ts";

export interface ConductorSettings {
  topology: Topology;
  faults: readonly Fault[];
  scale: Scale;
  stations: number;
  pace: number;
  folder: string;
  /** With an asynchronous standby. */
  postgres?: "replicated" | undefined;
  say(line: string): void;
  /** Told of each outcome as it comes. */
  outcome(outcome: FaultOutcome): void;
}

const COUNTS = { gateway: 3, decisions: 2, intake: 2, jobs: 2, api: 2 };
/**
 * Per gateway. The default is for a node with cores of its own; these share the machine's with all else, and with the stations:
 * about 135 handshakes a second for each core, what follows them included.
 */
const HANDSHAKES_PER_SECOND = Math.min(500, Math.round((availableParallelism() * 135) / COUNTS.gateway));
/** 1.6, 2.0.1 and 2.1 in the fleet. */
const MIX = [
  ["1.6", 0.6],
  ["2.0.1", 0.3],
  ["2.1", 0.1],
] as const;
/** A fault may step a clock back. */
const LONG_AGO = new Date(Date.now() - 7_200_000);
const STATIONS_PER_PROCESS = 2_500;
const RECOVERY_DEADLINE_MS = 180_000;
/** A station's own deadline, the sweep's period and an intake that catches up. */
const COMMANDS_DEADLINE_MS = 90_000;

/** Plays them all on one system. Throws when the harness or the system cannot even be started. */
export async function playFaults(settings: ConductorSettings): Promise<FaultOutcome[]> {
  const { topology, postgres, say } = settings;
  const name = postgres === undefined ? topology : `${topology}-${postgres}`;
  const folder = join(settings.folder, name);
  say(`${name}: starting the system`);
  // Ledgers of an earlier run are of other stations.
  rmSync(folder, { recursive: true, force: true });
  const system = await startSystem({
    topology,
    folder,
    postgres,
    counts: COUNTS,
    env: { HANDSHAKES_PER_SECOND: String(HANDSHAKES_PER_SECOND) },
  });
  const closers: (() => Promise<void>)[] = [() => system.close()];
  try {
    await prepareJudge(system);
    const groups = await inTurn(MIX, ([version, share]) =>
      system.generateStations(Math.round(settings.stations * share), version),
    );
    const stations = groups.flat();
    const fleet = await startFleet({
      stations,
      origins: system.gateways.map(({ name, port }) => ({ name, url: `ws://127.0.0.1:${port}` })),
      processes: Math.ceil(stations.length / STATIONS_PER_PROCESS),
      ledgerFolder: join(folder, "ledgers"),
      idTag: FLEET_TAG,
    });
    closers.push(() => fleet.close());
    return await new Conductor(settings, system, fleet).play();
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

class Conductor {
  readonly #settings: ConductorSettings;
  readonly #system: FaultySystem;
  readonly #fleet: Fleet;
  readonly #ledgers = new LedgerReader();
  readonly #segments = new Segments();
  readonly #commands = new CommandJudge();
  readonly #outcomes: FaultOutcome[] = [];
  #since = new Date();

  constructor(settings: ConductorSettings, system: FaultySystem, fleet: Fleet) {
    this.#settings = settings;
    this.#system = system;
    this.#fleet = fleet;
    this.#ledgers.add(fleet.ledgers);
  }

  async play(): Promise<FaultOutcome[]> {
    const { faults, say, topology } = this.#settings;
    say(`${topology}: ${this.#fleet.stations.length} stations connect`);
    await this.#fleet.connect(this.#fleet.stations.length * 3);
    await this.#calm("before the first fault");
    for (const fault of faults) await this.#playOne(fault);
    await this.#judgeCommands();
    return this.#outcomes;
  }

  async #playOne(fault: Fault): Promise<void> {
    const { topology, scale, pace, say } = this.#settings;
    const outcome = emptyOutcome(fault, topology);
    const world: World = {
      system: this.#system,
      fleet: this.#fleet,
      scale,
      paceOf: pace,
      say,
      until,
      watch: (ledgers) => this.#ledgers.add(ledgers),
      withCommands: async (perSecond, during) => {
        const load = startCommands(this.#system, this.#fleet.stations, perSecond);
        try {
          return await during();
        } finally {
          const tally = await load.stop();
          this.#commands.sent(fault.id, tally.sent);
          outcome.commands += tally.sent.length;
          outcome.breaches.push(...tally.lies);
          const refused = Object.entries(tally.refused).map(([status, count]) => `${count} × ${status}`);
          if (refused.length > 0) outcome.notes.push(`REST refused commands: ${refused.join(", ")}`);
        }
      },
    };
    const reason = await fault.unable?.(world);
    if (reason !== undefined) return this.#tell({ ...outcome, skipped: reason });

    say(`${topology} ${fault.id}: ${fault.title}`);
    const startedAtMs = performance.now();
    await this.#fleet.pace(pace);
    let report: FaultReport = { scaled: "" };
    try {
      report = await fault.run(world);
    } catch (cause) {
      outcome.breaches.push(`could not be played to its end: ${(cause as Error).message}`);
    }
    const healedAtMs = performance.now();
    outcome.recoverMs = await this.#recovered(healedAtMs, outcome);
    await this.#judge(outcome, report);
    outcome.notes.push(`${Math.round((performance.now() - startedAtMs) / 1_000)} s in all`);
    this.#tell(outcome);
  }

  /** Nothing new is sent; what waits is answered and applied. */
  async #calm(when: string): Promise<string[]> {
    const wrong: string[] = [];
    await this.#fleet.pace(0);
    if (!(await this.#fleet.settled(RECOVERY_DEADLINE_MS))) {
      const { stations, connected, waiting } = await this.#fleet.stats();
      wrong.push(`${when}: ${stations - connected} stations are not back, ${waiting} messages wait`);
    }
    await this.#fleet.flush();
    if (!(await this.#system.caughtUp(RECOVERY_DEADLINE_MS))) wrong.push(`${when}: the lanes are not applied`);
    return wrong;
  }

  /** @returns ms until nearly all stations are back; Infinity when they never were. */
  async #recovered(healedAtMs: number, outcome: FaultOutcome): Promise<number> {
    const backAtMs = await until(
      "99 % of the stations are back",
      async () => {
        const { stations, connected } = await this.#fleet.stats();
        return connected >= 0.99 * stations;
      },
      RECOVERY_DEADLINE_MS,
    ).then(
      () => performance.now(),
      () => Number.POSITIVE_INFINITY,
    );
    outcome.breaches.push(...(await this.#calm("afterwards")));
    return Math.max(0, backAtMs - healedAtMs);
  }

  async #judge(outcome: FaultOutcome, report: FaultReport): Promise<void> {
    const segment = this.#segments.take(this.#ledgers.lines());
    this.#commands.received(segment.received);
    const verdict = await judgeCalls(this.#system, segment, LONG_AGO);
    const { examples, ...figures } = verdict;
    Object.assign(outcome, figures);
    outcome.scaled = report.scaled;
    outcome.mayLose = report.mayLose ?? 0;
    outcome.breaches.push(...(report.breaches ?? []));
    outcome.notes.push(...(report.notes ?? []));
    (verdict.lost <= outcome.mayLose ? outcome.notes : outcome.breaches).push(
      ...examples.filter((line) => line.startsWith("lost")),
    );
    outcome.breaches.push(...examples.filter((line) => !line.startsWith("lost")));
    const errors = Object.entries(segment.errors).map(([code, count]) => `${count} × ${code}`);
    if (errors.length > 0) outcome.notes.push(`CALLERRORs: ${errors.join(", ")}`);
    const [left] = await this.#system.sql<{ letters: string; gaps: string }>(
      `select (select count(*) from dead_letters where set_aside_at >= $1) as letters, (select count(*) from lane_gaps where noticed_at >= $1) as gaps`,
      [this.#since],
    );
    if (Number(left?.letters) > (report.deadLetters ?? 0)) outcome.breaches.push(`${left?.letters} dead letters`);
    if (Number(left?.gaps) > 0)
      (outcome.mayLose > 0 ? outcome.notes : outcome.breaches).push(`${left?.gaps} lane gaps`);
    this.#since = new Date();
  }

  async #judgeCommands(): Promise<void> {
    const { say, topology } = this.#settings;
    say(`${topology}: waiting for the last commands to end`);
    for (const deadline = Date.now() + COMMANDS_DEADLINE_MS; Date.now() < deadline;) {
      if ((await this.#commands.open(this.#system)) === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await this.#fleet.flush();
    this.#commands.received(this.#segments.take(this.#ledgers.lines()).received);
    const breaches = await this.#commands.judge(this.#system);
    for (const outcome of this.#outcomes) {
      const wrong = breaches.get(outcome.id) ?? [];
      outcome.commandBreaches = wrong.length;
      outcome.breaches.push(...wrong.slice(0, 5));
    }
  }

  #tell(outcome: FaultOutcome): void {
    this.#outcomes.push(outcome);
    this.#settings.outcome(outcome);
  }
}

function emptyOutcome({ id, title }: Fault, topology: Topology): FaultOutcome {
  return {
    id,
    title,
    topology,
    scaled: "",
    acknowledged: 0,
    lost: 0,
    mayLose: 0,
    duplicated: 0,
    disordered: 0,
    wrongReplies: 0,
    commands: 0,
    commandBreaches: 0,
    recoverMs: 0,
    breaches: [],
    notes: [],
  };
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
