import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { readTraceparent } from "../trace-context.ts";
import type { TraceSampler, TracingSettings } from "./tracing-settings.ts";

export type SpanAttributes = Record<string, string | number | boolean>;

export interface SpanStart {
  /** Of a small set: no ids, and no names that somebody out there made up. */
  name: string;
  kind: "server" | "client" | "producer" | "consumer";
  /** `traceparent` of what it belongs to; without one it begins a trace. */
  parent?: string | undefined;
  attributes?: SpanAttributes;
}

/** Something that takes time, and is recorded. */
export interface Span {
  readonly traceId: string;
  /** What goes on elsewhere names it as its parent. */
  readonly traceparent: string;
  set(attributes: SpanAttributes): void;
  /** @param problem why it failed, in fixed words. The first end counts. */
  end(problem?: string): void;
}

/** There is one only where tracing is switched on: whoever may get it gets `undefined` else, and does nothing more. */
export interface Tracing {
  /** At the head of a trace: whether it is recorded. @param parent the caller's `traceparent`, if it sent one */
  samples(parent?: string): boolean;
  /** Starts a span; that it is to be recorded was decided. */
  start(span: SpanStart): Span;
  /** Goes on with a trace that somebody else began. Undefined: with none, or one that is not recorded. */
  follow(parent: string | undefined, span: Omit<SpanStart, "parent">): Span | undefined;
  /** Runs `work` with the span as the current one, for what it calls and for the lines that it logs. */
  run<T>(span: Span, work: () => T): T;
  /** The span that the caller runs in. */
  current(): Span | undefined;
  /** Sends what is not sent yet, for two seconds at the most. Never rejects. */
  stop(): Promise<void>;
}

/** What records spans and sends them (open-telemetry.ts). */
export interface SpanRecorder {
  start(span: SpanStart): Span;
  stop(): Promise<void>;
}

export interface TracingDeps {
  processName: string;
  /** Of every span of this process, beside the configured ones. */
  facts?: Record<string, string>;
  /** Spans could not be sent. Told once, until some could again. */
  onProblem(problem: string): void;
}

/**
 * Switches tracing on where it is configured. What records and sends is loaded then, and not before: a process without
 * tracing has nothing of it in memory.
 */
export async function startTracing(
  settings: TracingSettings | undefined,
  deps: TracingDeps,
): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined;
  const { recordSpans } = await import("./open-telemetry.ts");
  return createTracing(settings.sampler, recordSpans(settings, deps));
}

/** A collector that is away must not hold up a stop. */
const STOP_MS = 2_000;

/** Tracing with a sampler of ours at the head; what is asked to be recorded is recorded. */
export function createTracing(sampler: TraceSampler, recorder: SpanRecorder, random = Math.random): Tracing {
  const running = new AsyncLocalStorage<Span>();
  return {
    samples(parent) {
      const caller = parent === undefined ? undefined : readTraceparent(parent);
      if (caller === undefined) return random() < sampler.ratio;
      return sampler.parentBased ? caller.sampled : isWithin(caller.traceId, sampler.ratio);
    },
    start: (span) => recorder.start(span),
    follow: (parent, span) =>
      parent !== undefined && readTraceparent(parent)?.sampled === true
        ? recorder.start({ ...span, parent })
        : undefined,
    run: (span, work) => running.run(span, work),
    current: () => running.getStore(),
    async stop() {
      const late = new AbortController();
      const inTime = recorder.stop().then(() => late.abort());
      await Promise.race([inTime, sleep(STOP_MS, undefined, { signal: late.signal }).catch(() => {})]);
    },
  };
}

/** The last 56 bits of a trace id are random (Trace Context 2, §4.3): the same ids are taken by everybody with this ratio. */
const isWithin = (traceId: string, ratio: number): boolean =>
  ratio >= 1 || Number.parseInt(traceId.slice(-14), 16) / 2 ** 56 >= 1 - ratio;
