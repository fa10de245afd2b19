import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";

/** A frame and its place in the lane. */
export interface PlacedFrame {
  entryId: string;
  /** Place in its entry. */
  index: number;
  frame: LaneFrame;
}

export interface DeadLetter {
  laneId: string;
  entryId: string;
  index: number;
  identity: string;
  /** Everything that is needed to apply it later. */
  frame: object;
  reason: string;
}

/** Sets aside what cannot be applied, so that the lane moves on. Twice is once. */
export async function setAside(sql: Sql, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  await sql.query(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason)
     select * from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::jsonb[], $6::text[])
     on conflict do nothing`,
    [
      letters.map((l) => l.laneId),
      letters.map((l) => l.entryId),
      letters.map((l) => l.index),
      letters.map((l) => storableText(l.identity)),
      letters.map((l) => JSON.stringify(l.frame)),
      letters.map((l) => storableText(l.reason).slice(0, 1_000)),
    ],
  );
}

/** A frame as a dead letter. */
export function deadLetterOf(laneId: string, { entryId, index, frame }: PlacedFrame, reason: string): DeadLetter {
  // Raw NULs and lone surrogates, which jsonb refuses, cannot be in valid JSON; they would be why the frame is here.
  const texts = {
    text: storableText(frame.text),
    ...(frame.answer === undefined ? {} : { answer: storableText(frame.answer) }),
  };
  return {
    laneId,
    entryId,
    index,
    identity: frame.identity,
    frame: { ...frame, identity: storableText(frame.identity), ...texts },
    reason,
  };
}
