import { FLAG_FLAGGED, type GivenAnswer, REFUSED_IN_SILENCE } from "@dynamo-csms/proto/stream-entry";
import type { Session } from "../sockets/session.ts";
import type { LaneWriter } from "./lane-writer.ts";
import { maskText } from "./mask-secrets.ts";
import type { StationBudget } from "./minute-budget.ts";
import { beginningOf } from "./stored-bytes.ts";

/** Enough to see what it was meant to be. */
const MAX_KEPT_BYTES = 2_048;

export interface OddFramesDeps {
  lane: Pick<LaneWriter, "append">;
  /** Per station: what a unit does wrong, it does without end. */
  entries: StationBudget;
  nowMs(): number;
  monotonicMs(): number;
}

/**
 * Keeps a frame that changes nothing (no frame at all, an answer to nothing, a complaint about an answer of ours) for the
 * message log: flagged, masked, cut, and best effort: nobody waits for it.
 */
export type KeepOddFrame = (session: Session, text: string, reply?: string) => void;

/** The keeper of one process. */
export function createOddFrames({ lane, entries, nowMs, monotonicMs }: OddFramesDeps): KeepOddFrame {
  return (session, text, reply) => {
    if (!entries.spend(session.identity, monotonicMs())) return;
    // Never without an answer: cut off, or in another version than its own, it could be read as a CALL that was accepted.
    const answer: GivenAnswer = { text: Buffer.from(reply ?? REFUSED_IN_SILENCE, "utf8"), afterMs: 0 };
    lane.append(session.prefix, FLAG_FLAGGED, session.nextSeq(), nowMs(), keptBytes(text), answer, () => undefined);
  };
}

/** The text, known secrets masked, at most 2 kB. What was cut away may have named a secret: all of it is looked at. */
const keptBytes = (text: string): Uint8Array =>
  beginningOf(Buffer.from(maskText(text, MAX_KEPT_BYTES), "utf8"), MAX_KEPT_BYTES);
