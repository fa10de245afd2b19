import { decodeLaneEvent, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import type { Sql } from "../database.ts";
import type { EventTraces } from "../webhooks/event-traces.ts";
import type { Batch } from "./apply-batch.ts";

export interface BatchTraces {
  /** Starts a span for each frame of the batch whose trace is recorded. Undefined: there is none. */
  begin(batch: Batch): BatchTrace | undefined;
}

interface BatchTrace {
  eventsRecorded: NonNullable<Sql["eventsRecorded"]>;
  /** @param problem why nothing of it was committed */
  end(problem?: string): void;
}

export interface BatchTracesDeps {
  tracing: Tracing;
  events: Pick<EventTraces, "keep">;
  nowMs(): number;
}

type Traced = Extract<LaneEvent, { event: "traced" }>;

/** As encodeLaneEvent begins it: entries are full of other events. */
const TRACED = '{"event":"traced"';
/** Whose frame stands in the next entry, at the most so many. One that never comes is forgotten for others. */
const MAX_WAITING = 1_000;
const ACTION = /^\s*\[\s*[26]\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*"([A-Za-z0-9]{1,50})"/;

/** The traces that go on in a lane's frames: from the gateway's word in front of a frame to what is committed of it. */
export function createBatchTraces({ tracing, events, nowMs }: BatchTracesDeps): BatchTraces {
  /** Lane and frame → traceparent. */
  const waiting = new Map<string, string>();

  function expect(laneId: string, { identity, epoch, seq, traceparent }: Traced): void {
    const [first] = waiting.keys();
    if (waiting.size >= MAX_WAITING && first !== undefined) waiting.delete(first);
    waiting.set(keyOf(laneId, { identity, epoch, seq }), traceparent);
  }

  return {
    begin({ laneId, frames }) {
      const spans: { identity: string; receivedAtMs: number; span: Span }[] = [];
      for (const { frame, entryId } of frames) {
        if (isTraced(frame)) {
          expect(laneId, decodeLaneEvent(frame.text) as Traced);
          continue;
        }
        if (waiting.size === 0) continue;
        const key = keyOf(laneId, frame);
        const traceparent = waiting.get(key);
        if (traceparent === undefined) continue;
        waiting.delete(key);
        const { identity, epoch, seq, receivedAtMs } = frame;
        const span = tracing.follow(traceparent, {
          name: `apply ${nameOf(frame)}`,
          kind: "consumer",
          attributes: {
            station: identity,
            epoch,
            seq,
            lane: laneId,
            entry: entryId,
            "batch.frames": frames.length,
            waited_ms: Math.max(0, nowMs() - receivedAtMs),
          },
        });
        if (span !== undefined) spans.push({ identity, receivedAtMs, span });
      }
      if (spans.length === 0) return undefined;
      const only = soleFrames(frames);
      return {
        eventsRecorded: (recorded) =>
          events.keep(
            recorded,
            spans.map(({ identity, receivedAtMs, span }) => ({
              identity,
              receivedAtMs,
              traceparent: span.traceparent,
              only: only.has(identity),
            })),
          ),
        end: (problem) => spans.forEach(({ span }) => span.end(problem)),
      };
    },
  };
}

const keyOf = (laneId: string, { identity, epoch, seq }: { identity: string; epoch: number; seq: number }) =>
  `${laneId}/${epoch}/${seq}/${identity}`;

/** Stations that have one frame in the batch. */
function soleFrames(frames: Batch["frames"]): Set<string> {
  const [once, more] = [new Set<string>(), new Set<string>()];
  for (const { identity } of frames.map(({ frame }) => frame)) (once.has(identity) ? more : once).add(identity);
  for (const identity of more) once.delete(identity);
  return once;
}

const isTraced = ({ kind, identity, text }: LaneFrame) =>
  kind === "event" && identity === "" && text.startsWith(TRACED);

/** An action that the gateway knew, or what else the frame is. */
function nameOf({ kind, answer, text }: LaneFrame): string {
  if (kind !== "inbound") return kind;
  // What was refused may have any name.
  return answer?.startsWith("[4") === true ? "refused" : (ACTION.exec(text)?.[1] ?? "answer");
}
