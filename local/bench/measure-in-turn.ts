import { median } from "./arithmetic.ts";
import type { LoadGenerator, PhaseFigures, Target } from "./load-generator.ts";

/** A server that is measured in turn with others. */
export interface Contender {
  name: string;
  target: Target;
  /** `server`: those whose CPU a message costs; `redis`: told beside it. */
  watch: { server: readonly number[]; redis?: readonly number[] };
  /** False when its answers do not carry the message's id. */
  check?: boolean;
  connections?: number;
  /** What has to be done behind each visit, unmeasured. */
  tidy?(): Promise<void>;
}

/** One phase of one visit, per message. */
export interface Visit {
  messages: number;
  serverUs: number;
  redisUs: number;
  perSecond: number;
  p50Us: number;
  /** CPU of the server in parts of one core. */
  busy: number;
}

/** A server that answered nobody for so long stood still: what it cost meanwhile says nothing. */
const LONGEST_SILENCE_MS = 1_000;
/** How often a visit is made again because the server stood still or was too slow for its rate. */
const TRIES = 3;

export interface MeasureOptions {
  generator: LoadGenerator;
  contenders: readonly Contender[];
  /** Messages (loadgen/frames.go), one after the other on the same connections. */
  phases: readonly string[];
  repetitions: number;
  connections: number;
  subprotocol?: string;
  /** Messages a second; absent: as fast as they are answered. */
  rate?: number;
  /** The rate may be more than can be sent, because all stations wait for answers: only what a message costs is asked. */
  mayWait?: boolean;
  warmMs: number;
  measureMs: number;
  report(line: string): void;
}

/**
 * Visits every contender in each repetition, in turn and back again, because machines drift. Throws when an answer was
 * wrong or missing, when a connection was lost, when no CPU was counted, or when a server stood still each time.
 * @returns by contender and phase, the visits in order of repetition
 */
export async function measureInTurn(options: MeasureOptions): Promise<(name: string, phase: string) => Visit[]> {
  const { generator, contenders, phases, repetitions, report } = options;
  const visits = new Map<string, Visit[]>();
  const visit = async (contender: Contender, lengths: { warmMs: number; measureMs: number }) => {
    const figures = await generator.calls({
      ...contender.target,
      ...options,
      ...lengths,
      connections: contender.connections ?? options.connections,
      watch: contender.watch,
      check: contender.check ?? true,
    });
    await contender.tidy?.();
    return figures;
  };
  // The first time nothing is compiled yet. With one repetition the warming up of each phase has to do.
  for (const contender of repetitions > 1 ? contenders : [])
    for (const figures of await visit(contender, { warmMs: 0, measureMs: 1_000 })) refuseWrong(contender, figures);
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const contender of repetition % 2 === 0 ? contenders : contenders.toReversed()) {
      const found = await tried(contender, report, async () => {
        const figures = await visit(contender, options);
        return phases.map((_, at) => visitOf(contender, figures[at], options));
      });
      for (const [at, phase] of phases.entries()) {
        const visit_ = found[at] as Visit;
        const key = `${contender.name} ${phase}`;
        visits.set(key, [...(visits.get(key) ?? []), visit_]);
        report(`${repetition + 1}/${repetitions} ${key}: ${tell(visit_)}`);
      }
    }
  }
  return (name, phase) => visits.get(`${name} ${phase}`) ?? [];
}

/** Nothing is wrong with what was measured: somebody else had the machine. */
export class MachineTooBusy extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "MachineTooBusy";
  }
}

/** It stood still, or had no place for a message: tried again, since a machine may be busy for a moment. */
class StoodStill extends Error {
  readonly othersHadTheCpu: boolean;

  constructor(reason: string, othersHadTheCpu: boolean) {
    super(reason);
    this.othersHadTheCpu = othersHadTheCpu;
  }
}

/** Throws MachineTooBusy only where the kernel says that others had the CPU, each time; else it was the server. */
async function tried<T>({ name }: Contender, report: (line: string) => void, run: () => Promise<T>): Promise<T> {
  const reasons: StoodStill[] = [];
  for (;;) {
    try {
      return await run();
    } catch (cause) {
      if (!(cause instanceof StoodStill)) throw cause;
      reasons.push(cause);
      report(`${name}: ${cause.message}`);
      if (reasons.length < TRIES) continue;
      const all = `${TRIES} times: ${cause.message}`;
      if (reasons.every(({ othersHadTheCpu }) => othersHadTheCpu)) throw new MachineTooBusy(all);
      throw new Error(all, { cause });
    }
  }
}

/** Throws when an answer was wrong or missing, or a connection was lost, while it warmed up too. */
export function refuseWrong({ name }: { name: string }, figures: PhaseFigures): void {
  const { phase, wrong, lost, unanswered } = figures;
  if (wrong + lost + unanswered > 0)
    throw new Error(`${name}, ${phase}: ${wrong} wrong answers, ${lost} lost connections, ${unanswered} unanswered`);
}

function visitOf(
  { name }: Pick<Contender, "name">,
  figures: PhaseFigures | undefined,
  { mayWait = false }: Pick<MeasureOptions, "mayWait">,
): Visit {
  if (figures === undefined) throw new Error(`${name}: the load generator told less than it was asked for`);
  refuseWrong({ name }, figures);
  const { phase, messages, seconds, cpuSeconds, held, longestSilenceMs, p50Us } = figures;
  if (messages === 0) throw new Error(`${name}, ${phase}: stood still for ${Math.round(longestSilenceMs)} ms`);
  if (longestSilenceMs > LONGEST_SILENCE_MS)
    throw new StoodStill(
      `${name}, ${phase}: stood still for ${Math.round(longestSilenceMs)} ms`,
      // Half of the silence, whoever of them it was that had to wait.
      Math.max(0, ...Object.values(figures.waitedSeconds)) * 1_000 > longestSilenceMs / 2,
    );
  if (held > messages / 100 && !mayWait) {
    const waited = Math.max(0, ...Object.values(figures.waitedSeconds));
    throw new StoodStill(
      `${name}, ${phase}: the rate was too high, ${held} messages had to wait`,
      waited > seconds / 4,
    );
  }
  const server = cpuSeconds["server"] ?? 0;
  if (!(server > 0)) throw new Error(`${name}, ${phase}: no CPU was counted for ${messages} messages`);
  return {
    messages,
    serverUs: (server / messages) * 1e6,
    redisUs: ((cpuSeconds["redis"] ?? 0) / messages) * 1e6,
    perSecond: messages / seconds,
    p50Us,
    busy: server / seconds,
  };
}

const tell = ({ serverUs, redisUs, perSecond, p50Us, busy }: Visit) =>
  `${serverUs.toFixed(1)} µs, Redis ${redisUs.toFixed(1)} µs, ${Math.round(perSecond)}/s, p50 ${(p50Us / 1_000).toFixed(2)} ms, core ${Math.round(busy * 100)} %`;

/** The server's cost of each visit, in µs a message. */
export const costs = (visits: readonly Visit[]): number[] => visits.map(({ serverUs }) => serverUs);

/** Of a server that had less of its core it may be that others had the rest: its cost is right only nearly. */
const ALONE = 0.85;

/** The medians of a contender, for people: "9.1 µs (61 k/s)"; with what it had of its core where that was not all. */
export function describe(visits: readonly Visit[]): string {
  const middle = (figure: "serverUs" | "perSecond" | "busy") => median(visits.map((visit) => visit[figure]));
  const busy = middle("busy") < ALONE ? ` on ${Math.round(middle("busy") * 100)} % of a core` : "";
  return `${middle("serverUs").toFixed(1)} µs (${(middle("perSecond") / 1_000).toFixed(0)} k/s${busy})`;
}
