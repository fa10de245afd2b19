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
  /** The last entry of a lane whose writer stopped in order. */
  | { event: "sealed"; nodeId: string };

export const encodeLaneEvent = (event: LaneEvent): string => JSON.stringify(event);

/** Events of a kind that this build does not know are given back as they are: the reader skips what it does not use. */
export const decodeLaneEvent = (text: string): LaneEvent | { event: string } => JSON.parse(text) as LaneEvent;
