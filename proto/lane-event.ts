import type { CommandOutcome } from "./command-message.ts";
import type { QuirkMode, QuirkName } from "./quirks.ts";

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
      /** Which listener: 1 plain, 2 TLS, 3 mutual TLS (also behind a trusted proxy's word). */
      listener?: 1 | 2 | 3;
      /** Which password let it in: the first 16 characters of the verifier's digest. Absent: a certificate alone. */
      verifier?: string;
      /** Of the client certificate: SHA-256 (lower-case hex) and CN. */
      clientCertificate?: { fingerprint: string; commonName: string };
    }
  | { event: "closed"; nodeId: string; code: number; reason: string }
  /**
   * The connection of this frame's epoch is still there: told for every live session when a lane begins again in a new
   * stream, and when it was cut off from Redis for longer than its lease, for then others may have taken the node for dead
   * and its connections for closed.
   */
  | { event: "stillOpen"; nodeId: string; remoteAddress: string; subprotocol: string }
  /** A quirk profile forgave the station something, or (mode report_only) would have; `count` times since the last word on it. */
  | { event: "quirk"; nodeId: string; quirk: QuirkName; mode: QuirkMode; count: number; detail: string }
  /** What the gateway itself noticed, for the station's security log (2.x Part 2 A00.FR.323, A00.FR.408). */
  | { event: "securityEvent"; nodeId: string; type: string; techInfo: string }
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
  /**
   * Ids of `laneId` that stand for nothing: Redis refused their entries (memory) and took later ones, so their content comes
   * behind, under other ids. Nothing was lost.
   */
  | { event: "skipped"; nodeId: string; laneId: string; ranges: [first: number, last: number][] }
  /**
   * The frame `seq` of the connection `epoch` of `identity` is part of a trace that is recorded (W3C `traceparent`). It stands
   * in front of that frame, as an event of the node, so that a reader who knows nothing of it loses nothing.
   */
  | { event: "traced"; nodeId: string; identity: string; epoch: number; seq: number; traceparent: string }
  /** The first entry of a lane: there is no lane without a stream, so a stream that is not there was lost or deleted. */
  | { event: "laneOpened"; nodeId: string }
  /** The last entry of a lane whose writer stopped in order. */
  | { event: "sealed"; nodeId: string };

/** A writer has no more entries on their way at a time: the `skipped` event comes within so many ids after those that it explains. */
export const LANE_IN_FLIGHT = 8;

/** The text of an entry's frame with FLAG_EVENT. */
export const encodeLaneEvent = (event: LaneEvent): string => JSON.stringify(event);

/** Events of a kind that this build does not know are given back as they are: the reader skips what it does not use. */
export const decodeLaneEvent = (text: string): LaneEvent | { event: string } => JSON.parse(text) as LaneEvent;
