import type { CommandOutcome } from "./command-message.ts";

/** What a gateway writes into its lane beside the frames. Events of the node have the identity "". */
export type LaneEvent =
  | {
      event: "opened";
      nodeId: string;
      /** The address the connection came from (a trusted proxy's word for it where there is one). */
      remoteAddress: string;
      subprotocol: string;
      /** What was forgiven in the URL or the handshake: "trailing-slash", "repeated-identity", "version-in-path-differs". */
      notes: string[];
    }
  | { event: "closed"; nodeId: string; code: number; reason: string }
  /**
   * The connection of this frame's epoch is still there: told for every live session when a lane begins again in a new
   * stream, and when it was cut off from Redis for longer than its lease, for then others may have taken the node for dead
   * and its connections for closed.
   */
  | { event: "stillOpen"; nodeId: string; remoteAddress: string; subprotocol: string }
  | { event: "commandSent"; nodeId: string; commandId: string; sentAtMs: number }
  | { event: "commandOutcome"; nodeId: string; commandId: string; outcome: CommandOutcome }
  /**
   * Redis lost entries of `laneId` that were acknowledged and that the writer no longer holds: numbers fromId to toId,
   * less those that were applied before (a committed offset of the lane tells).
   */
  | {
      event: "gap";
      nodeId: string;
      laneId: string;
      fromId: number;
      toId: number;
      reason: "lane-rewound" | "lane-vanished";
    }
  /** The first entry of a lane: there is no lane without a stream, so a stream that is not there was lost or deleted. */
  | { event: "laneOpened"; nodeId: string }
  /** The last entry of a lane whose writer stopped in order. */
  | { event: "sealed"; nodeId: string };

/** The text of an entry's frame with FLAG_EVENT. */
export const encodeLaneEvent = (event: LaneEvent): string => JSON.stringify(event);

/** Events of a kind that this build does not know are given back as they are: the reader skips what it does not use. */
export const decodeLaneEvent = (text: string): LaneEvent | { event: string } => JSON.parse(text) as LaneEvent;
