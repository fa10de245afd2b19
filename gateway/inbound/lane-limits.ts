export interface LaneLimits {
  /** An entry is closed at this many frames or bytes, so that one XADD never holds Redis up. */
  entryFrames: number;
  entryBytes: number;
  /** XADDs on the wire at a time. More hides the way to Redis and back; a cluster client may reorder, so there it is one. */
  inFlight: number;
  /** Frames past this are refused at once; events (a few bytes each) may use twice as much. */
  waitingBytes: number;
  /** A frame that waits longer is given up: its station is let go and will send it again. */
  waitingAgeMs: number;
  /** Acknowledged entries are held for this long and up to this many bytes, for a promoted replica that lacks them. */
  tailMs: number;
  tailBytes: number;
  /** Redis that answers nothing for so long is away. */
  replyTimeoutMs: number;
}

/** For a node of some ten thousand stations. */
export const LANE_LIMITS: Readonly<LaneLimits> = {
  entryFrames: 512,
  entryBytes: 256 * 1024,
  inFlight: 8,
  waitingBytes: 64 * 1024 * 1024,
  waitingAgeMs: 15_000,
  tailMs: 10_000,
  tailBytes: 64 * 1024 * 1024,
  replyTimeoutMs: 5_000,
};
