import { EntryBuilder, type GivenAnswer } from "@dynamo-csms/proto/stream-entry";
import type { EntryBuffers } from "./entry-buffers.ts";
import type { LaneLimits } from "./lane-limits.ts";
import type { RetainedEntry, Stored } from "./retained-entries.ts";

/** Gathers frames into the entry that goes out next. */
export class EntryPacker {
  readonly #builder = new EntryBuilder();
  readonly #limits: Pick<LaneLimits, "entryFrames" | "entryBytes">;
  readonly #nowMs: () => number;
  readonly #room: ((bytes: number) => Buffer) | undefined;
  #waiting: Stored[] = [];
  /** Monotonic ms of the first frame. */
  #sinceMs = 0;

  /** @param nowMs monotonic @param buffers whose memory the entries are; absent: the system's */
  constructor(limits: Pick<LaneLimits, "entryFrames" | "entryBytes">, nowMs: () => number, buffers?: EntryBuffers) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#room = buffers && ((bytes) => buffers.take(bytes));
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

  /** As EntryBuilder.stage. */
  stage(prefixLength: number, text: Uint8Array): number {
    return this.#builder.stage(prefixLength, text);
  }

  /** As EntryBuilder.bytesSoFar. */
  get bytesSoFar(): Uint8Array {
    return this.#builder.bytesSoFar;
  }

  /** Whether this is who is told last of the entry. */
  tellsLast(done: Stored): boolean {
    return this.#waiting.at(-1) === done;
  }

  /** Adds the frame that was staged last. @param done told once for all frames that it is given for in a row */
  addStaged(prefix: Buffer, seq: number, atMs: number, length: number, done: Stored): void {
    if (this.isEmpty) this.#sinceMs = this.#nowMs();
    this.#builder.addStaged(prefix, seq, atMs, length);
    if (!this.tellsLast(done)) this.#waiting.push(done);
  }

  /** The entry, and the packer is empty again. Not to be called when it is empty. */
  take(): RetainedEntry {
    const waiting = this.#waiting;
    this.#waiting = [];
    return {
      id: 0,
      bytes: this.#builder.finish(this.#room),
      waiting,
      sinceMs: this.#sinceMs,
      sent: 0,
      sentAtMs: undefined,
      ackedAtMs: undefined,
    };
  }
}
