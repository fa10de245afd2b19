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
  warmMs: number;
  measureMs: number;
  report(line: string): void;
}

/**
 * Visits every contender in each repetition, in turn and back again, because machines drift. Throws when an answer was
 * wrong or missing, when a connection was lost, or when a server stood still.
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
  for (const contender of repetitions > 1 ? contenders : []) await visit(contender, { warmMs: 0, measureMs: 1_000 });
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const contender of repetition % 2 === 0 ? contenders : contenders.toReversed()) {
      const figures = await visit(contender, options);
      for (const [at, phase] of phases.entries()) {
        const found = visitOf(contender, figures[at] as PhaseFigures);
        const key = `${contender.name} ${phase}`;
        visits.set(key, [...(visits.get(key) ?? []), found]);
        report(`${repetition + 1}/${repetitions} ${key}: ${tell(found)}`);
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

function visitOf({ name }: Contender, figures: PhaseFigures): Visit {
  const { phase, messages, seconds, cpuSeconds, wrong, lost, unanswered, held, longestSilenceMs, p50Us } = figures;
  if (wrong + lost + unanswered > 0)
    throw new Error(`${name}, ${phase}: ${wrong} wrong answers, ${lost} lost connections, ${unanswered} unanswered`);
  if (messages === 0) throw new Error(`${name}, ${phase}: stood still for ${Math.round(longestSilenceMs)} ms`);
  if (longestSilenceMs > LONGEST_SILENCE_MS)
    throw new MachineTooBusy(`${name}, ${phase}: stood still for ${Math.round(longestSilenceMs)} ms`);
  if (held > messages / 100)
    throw new MachineTooBusy(`${name}, ${phase}: the rate was too high, ${held} messages had to wait`);
  const server = cpuSeconds["server"] ?? 0;
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
