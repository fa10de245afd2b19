import { LANE_IN_FLIGHT } from "@dynamo-csms/proto/lane-event";

export interface LaneLimits {
  /** An entry is closed at this many frames or bytes, so that one XADD never holds Redis up. */
  entryFrames: number;
  entryBytes: number;
  /** XADDs on the wire at a time. More hides the way to Redis and back. At most LANE_IN_FLIGHT. */
  inFlight: number;
  /** Frames past this are refused at once; events (a few bytes each) may use twice as much. */
  waitingBytes: number;
  /** A frame that waits longer is given up: its station is let go and will send it again. */
  waitingAgeMs: number;
  /**
   * Acknowledged entries are held for this long and up to this many bytes, for a promoted replica that lacks them. Longer
   * than a master that is cut off from its replicas goes on taking writes (min-replicas-max-lag, cluster-node-timeout), and
   * than one that was replaced while it stood still may answer once more (replyTimeoutMs and two lease renewals).
   */
  tailMs: number;
  tailBytes: number;
  /** Redis that answers nothing for so long is away. */
  replyTimeoutMs: number;
}

/** For a node of some ten thousand stations. */
export const LANE_LIMITS: Readonly<LaneLimits> = {
  entryFrames: 512,
  entryBytes: 256 * 1024,
  inFlight: LANE_IN_FLIGHT,
  waitingBytes: 64 * 1024 * 1024,
  waitingAgeMs: 15_000,
  tailMs: 20_000,
  tailBytes: 64 * 1024 * 1024,
  replyTimeoutMs: 5_000,
};
