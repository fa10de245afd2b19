import { EntryBuilder, type GivenAnswer } from "@dynamo-csms/proto/stream-entry";
import type { LaneLimits } from "./lane-limits.ts";
import type { RetainedEntry, Stored } from "./retained-entries.ts";

/** Gathers frames into the entry that goes out next. */
export class EntryPacker {
  readonly #builder = new EntryBuilder();
  readonly #limits: Pick<LaneLimits, "entryFrames" | "entryBytes">;
  readonly #nowMs: () => number;
  #waiting: Stored[] = [];
  /** Monotonic ms of the first frame. */
  #sinceMs = 0;

  /** @param nowMs monotonic */
  constructor(limits: Pick<LaneLimits, "entryFrames" | "entryBytes">, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  get bytes(): number {
    return this.#builder.bytes;
  }

  get isEmpty(): boolean {
    return this.#builder.count === 0;
  }

  get isFull(): boolean {
    return this.#builder.count >= this.#limits.entryFrames || this.#builder.bytes >= this.#limits.entryBytes;
  }

  /** Whether a frame of this time can join; else the entry is to be taken first. */
  fits(atMs: number): boolean {
    return this.#builder.fits(atMs);
  }

  /** Frames carry the ms since their entry's first one in 16 bits, so it must not stay open for a minute. */
  isOlderThan(beforeMs: number): boolean {
    return !this.isEmpty && this.#sinceMs <= beforeMs;
  }

  add(
    prefix: Buffer,
    flags: number,
    seq: number,
    atMs: number,
    text: Uint8Array,
    answer: GivenAnswer | undefined,
    done: Stored,
  ): void {
    if (this.isEmpty) this.#sinceMs = this.#nowMs();
    this.#builder.add(prefix, flags, seq, atMs, text, answer);
    this.#waiting.push(done);
  }

  /** The entry, and the packer is empty again. Not to be called when it is empty. */
  take(): RetainedEntry {
    const waiting = this.#waiting;
    this.#waiting = [];
    return {
      id: 0,
      bytes: this.#builder.finish(),
      waiting,
      sinceMs: this.#sinceMs,
      sentAtMs: undefined,
      ackedAtMs: undefined,
    };
  }
}
