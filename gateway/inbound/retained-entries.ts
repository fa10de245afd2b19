import { FIRST_ENTRY } from "./lane-registration.ts";

/**
 * Told once per frame, or once for several that follow each other: true when they are as durable as promised, false when they
 * waited too long or nothing can be taken.
 * @param entry that they stand in, not to be kept; empty where they were not taken
 */
export type Stored = (stored: boolean, entry: Buffer) => void;

/** Ids from the first to the last, both included. */
export type IdRange = [first: number, last: number];

/** One lane entry from its packing until nobody can need it again. */
export interface RetainedEntry {
  /** Its number in the lane (`id-0`); 0 until it is sent for the first time, because only then its place is certain. */
  id: number;
  readonly bytes: Buffer;
  /** Emptied when the frames were told. */
  waiting: Stored[];
  /** Monotonic ms: when its first frame came, when it was last sent, and when that was acknowledged (undefined: not yet). */
  readonly sinceMs: number;
  /** How often: on one connection once. */
  sent: number;
  sentAtMs: number | undefined;
  ackedAtMs: number | undefined;
}

export interface RetentionLimits {
  /** Acknowledged entries are kept until the lane's server was still the one that takes its writes so long after … */
  tailMs: number;
  /** … and up to this many bytes. */
  tailBytes: number;
}

/**
 * All entries that may still have to be written, in lane order: the acknowledged tail, then what is sent and not
 * acknowledged, then what was never sent. A promoted replica may lack the end of what its master acknowledged: that is
 * what the tail is for.
 */
export class RetainedEntries {
  #entries: RetainedEntry[] = [];
  /** Index of the first entry that is not acknowledged, and of the first that is not sent. */
  #unacked = 0;
  #unsent = 0;
  #tailBytes = 0;
  #waitingBytes = 0;
  #lastId = FIRST_ENTRY;
  /** The highest id that was acknowledged: a lane whose last id is lower has lost something. */
  #lastAckedId = FIRST_ENTRY;
  readonly #limits: RetentionLimits;
  readonly #onFault: (error: unknown) => void;
  readonly #dropped: (entry: RetainedEntry) => void;

  /**
   * @param onFault what a frame's `Stored` threw: it must not keep the frames behind it from being told
   * @param dropped an entry that is not held any more; where it was sent again, its bytes may still stand in the buffers of a
   * connection that was left behind
   */
  constructor(
    limits: RetentionLimits,
    onFault: (error: unknown) => void,
    dropped: (entry: RetainedEntry) => void = () => undefined,
  ) {
    this.#limits = limits;
    this.#onFault = onFault;
    this.#dropped = dropped;
  }

  /** Bytes not acknowledged yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get inFlight(): number {
    return this.#unsent - this.#unacked;
  }

  get hasUnsent(): boolean {
    return this.#unsent < this.#entries.length;
  }

  /** The highest id that was ever given: an id never stands for two contents. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Sent or not. */
  get oldestUnacked(): RetainedEntry | undefined {
    return this.#entries[this.#unacked];
  }

  /** More is held of what is acknowledged than `trim` would leave. */
  get hasLongTail(): boolean {
    return this.#tailBytes > this.#limits.tailBytes;
  }

  get lastSent(): RetainedEntry | undefined {
    return this.#entries[this.#unsent - 1];
  }

  /** Ids above `lastInLane` that were acknowledged and are not held any more: they cannot be filled. */
  gapAbove(lastInLane: number): { fromId: number; toId: number } | undefined {
    const firstHeld = this.#entries.find((entry) => entry.id > lastInLane)?.id ?? Number.POSITIVE_INFINITY;
    const toId = Math.min(firstHeld - 1, this.#lastAckedId);
    return toId > lastInLane ? { fromId: lastInLane + 1, toId } : undefined;
  }

  push(entry: RetainedEntry): void {
    this.#entries.push(entry);
    this.#waitingBytes += entry.bytes.length;
  }

  /** The next entry to send, with its id; undefined when all are sent. */
  takeUnsent(nowMs: number): RetainedEntry | undefined {
    const entry = this.#entries[this.#unsent];
    if (entry === undefined) return undefined;
    if (entry.id === 0) entry.id = this.#lastId + 1;
    this.#lastId = Math.max(this.#lastId, entry.id);
    entry.sent += 1;
    entry.sentAtMs = nowMs;
    this.#unsent += 1;
    return entry;
  }

  /** Everything up to and with this entry is durable: tells the frames, entry by entry, in order. */
  ackUpTo(last: RetainedEntry, nowMs: number): void {
    while (this.#unacked < this.#unsent) {
      const entry = this.#entries[this.#unacked] as RetainedEntry;
      this.#unacked += 1;
      this.#lastAckedId = Math.max(this.#lastAckedId, entry.id);
      if (entry.ackedAtMs === undefined) {
        entry.ackedAtMs = nowMs;
        this.#waitingBytes -= entry.bytes.length;
        this.#tailBytes += entry.bytes.length;
        this.#tell(entry, true);
      } else if ((entry.sentAtMs ?? 0) > entry.ackedAtMs) {
        // Redis had lost it: counted and told the first time, and as young as what was never lost on the server that has it now.
        entry.ackedAtMs = nowMs;
      }
      if (entry === last) return;
    }
  }

  /**
   * Drops what the tail need not hold any more.
   * @param provenAtMs monotonic: until then the server that acknowledged was surely not replaced. Nothing is dropped by age
   * while nobody answers: whoever answers next may lack all since.
   */
  trim(provenAtMs: number): void {
    let dropped = 0;
    while (dropped < this.#unacked) {
      const entry = this.#entries[dropped] as RetainedEntry;
      const heldMs = provenAtMs - (entry.ackedAtMs ?? provenAtMs);
      if (heldMs < this.#limits.tailMs && this.#tailBytes <= this.#limits.tailBytes) break;
      this.#tailBytes -= entry.bytes.length;
      this.#dropped(entry);
      dropped += 1;
    }
    if (dropped === 0) return;
    this.#entries.splice(0, dropped);
    this.#unacked -= dropped;
    this.#unsent -= dropped;
  }

  /**
   * Frames that wait since before `beforeMs` are told "not stored": their stations are let go and will send again. The
   * entries stay: what was sent may already be in the lane, and events (who was connected when) must not be lost.
   */
  giveUpWaiting(beforeMs: number): void {
    for (let at = this.#unacked; at < this.#entries.length; at++) {
      const entry = this.#entries[at] as RetainedEntry;
      if (entry.sinceMs >= beforeMs) return;
      this.#tell(entry, false);
    }
  }

  /**
   * After an error: `lastInLane` is the lane's last-generated-id, `present` the ids found among those asked for.
   * What got through is acknowledged (`durable` false: waits for the next acknowledgement, as if sent just now); what did
   * not is to be sent again, in order.
   * @param explain makes the entry that says which ids stand for nothing; it is sent before anything else
   */
  resume(
    lastInLane: number,
    present: ReadonlySet<number>,
    nowMs: number,
    durable: boolean,
    explain: (skipped: IdRange[]) => RetainedEntry,
  ): void {
    const inLane = (entry: RetainedEntry) =>
      entry.id !== 0 && entry.id <= lastInLane && (entry.ackedAtMs !== undefined || present.has(entry.id));
    const stored = this.#entries.filter(inLane);
    const missing = this.#entries.filter((entry) => !inLane(entry));
    // Redis refused one (memory) and took a later one: what is missing moves behind it, with ids that were never used.
    const overtaken = missing.some((entry) => entry.id !== 0 && entry.id <= lastInLane);
    if (overtaken) {
      const explanation = explain(rangesOf(missing.map(({ id }) => id).filter((id) => id !== 0)));
      this.#waitingBytes += explanation.bytes.length;
      for (const entry of missing) entry.id = 0;
      missing.unshift(explanation);
    }
    this.#restart([...stored, ...missing], stored, nowMs, durable);
  }

  /** The lane is gone: everything held goes into a new one, behind its first entry. */
  restartInNewLane(nowMs: number): void {
    for (const entry of this.#entries) entry.id = 0;
    this.#lastId = FIRST_ENTRY;
    this.#lastAckedId = FIRST_ENTRY;
    this.#restart(this.#entries, [], nowMs, true);
  }

  /** Ids of entries whose fate only the lane knows: sent, not acknowledged. */
  unknownIds(): { first: number; last: number } | undefined {
    const first = this.#entries[this.#unacked];
    const last = this.#entries[this.#unsent - 1];
    return this.inFlight === 0 || first === undefined || last === undefined
      ? undefined
      : { first: first.id, last: last.id };
  }

  #restart(order: RetainedEntry[], stored: RetainedEntry[], nowMs: number, durable: boolean): void {
    this.#entries = order;
    this.#unacked = 0;
    this.#unsent = stored.length;
    const last = durable ? stored.at(-1) : stored.findLast((entry) => entry.ackedAtMs !== undefined);
    if (last !== undefined) this.ackUpTo(last, nowMs);
  }

  #tell(entry: RetainedEntry, stored: boolean): void {
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const done of waiting) {
      try {
        done(stored, entry.bytes);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }
}

/** @param ids in order */
function rangesOf(ids: number[]): IdRange[] {
  const ranges: IdRange[] = [];
  for (const id of ids) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === id - 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}
