// The lane entry: all frames that arrived in one turn of a gateway's event loop, packed into one binary field.
//
//   entry: u8 format=2 | u48 base ms | frame*                                                     (little-endian)
//   frame: u32 bytes following | u32 seq | u16 ms after base | u8 version<<4|flags | u48 epoch
//          | u8 n | identity[n] | [flag ANSWER: u32 ms from receipt to it | u32 m | answer[m]] | text
//
// Format 1, read for ever, has no time of the answer. The flags are used up, so what is new is a new format; one that a
// build does not know is not poison: the lane waits for a build that knows it (UnknownEntryFormat).

import { OCPP_VERSIONS, type OcppVersion } from "./ocpp-version.ts";
import type { StationIdentity } from "./station-identity.ts";

/** The format that is written. Older builds wait for newer ones: the intake is deployed before the gateways. */
export const ENTRY_FORMAT = 2;
const FIRST_FORMAT = 1;

/** The stream field that holds the entry. */
export const ENTRY_FIELD = "f";

/** The reply frame that the station got stands in front of the text. */
export const FLAG_ANSWER = 1;
/** The text is a LaneEvent (lane-event.ts), not a frame of the station. */
export const FLAG_EVENT = 2;
/** We sent this frame; else the station did. */
export const FLAG_OUTBOUND = 4;
/**
 * Something is wrong with the frame: transaction data against its schema that was accepted all the same, what was refused
 * (its answer is a CALLERROR), an answer against its schema or to no CALL of ours, or what is no frame at all. What a quirk
 * profile forgave is not flagged.
 */
export const FLAG_FLAGGED = 8;

/** The reply to an inbound frame, as it goes into an entry. */
export interface GivenAnswer {
  /** The reply frame's UTF-8 bytes. */
  text: Uint8Array;
  /** From the frame's receipt until its answer was known; undefined: nobody measured it. */
  afterMs: number | undefined;
}

/** The answer of a frame that was refused without a word: a SEND, an answer to nothing, what is no frame. */
export const REFUSED_IN_SILENCE = "";

/** In place of the milliseconds that nobody measured. */
const NOT_MEASURED = 0xffff_ffff;

export interface LaneFrame {
  kind: "inbound" | "outbound" | "event";
  /** "" for events of the whole node. */
  identity: StationIdentity | "";
  version: OcppVersion;
  /** Owner epoch of the connection, and the number within it: one sequence for both directions. */
  epoch: number;
  seq: number;
  /** Gateway clock, Unix ms. */
  receivedAtMs: number;
  /** The frame exactly as it travelled, or the event's JSON. */
  text: string;
  /** The reply frame that was given to an inbound CALL, as sent; or REFUSED_IN_SILENCE. */
  answer?: string;
  /** From the frame's receipt until its answer was known. Absent without answer, and in entries of format 1. */
  answeredAfterMs?: number;
  flagged: boolean;
}

/** An entry of a newer release: no damage, the lane waits for a build that reads it. */
export class UnknownEntryFormat extends Error {
  constructor(format: number) {
    super(`lane entry of format ${format}: this build reads formats ${FIRST_FORMAT} to ${ENTRY_FORMAT}`);
    this.name = "UnknownEntryFormat";
  }
}

const ENTRY_HEADER = 7;
/** In front of a frame's prefix: its length, seq and time. */
const FRAME_HEAD = 4 + 4 + 2;
/** From seq to epoch. */
const FRAME_FIXED = 4 + 2 + 1 + 6;
/** `ms after base` is a u16, so a builder must not live longer than this. */
export const MAX_ENTRY_AGE_MS = 65_535;
/**
 * How far an entry's base lies before its first frame. Frames come in the order in which they were decided, so one that
 * was held up stands behind younger ones.
 */
const BASE_BEFORE_FIRST_MS = 25_000;

/**
 * One version, epoch and identity as they stand in every frame of a connection: encoded once per connection.
 * The flags byte is filled in by the builder.
 */
export function framePrefix(version: OcppVersion, epoch: number, identity: StationIdentity | ""): Buffer {
  const nameBytes = Buffer.byteLength(identity, "utf8");
  if (nameBytes > 255) throw new Error("identity over 255 bytes");
  const prefix = takePrefixBytes(8 + nameBytes);
  prefix[0] = OCPP_VERSIONS.indexOf(version) << 4;
  prefix.writeUIntLE(epoch, 1, 6);
  prefix[7] = nameBytes;
  prefix.write(identity, 8, "utf8");
  return prefix;
}

/**
 * Prefixes live as long as their connections. Cut from pieces of their own they cost little more than their bytes; cut from
 * Node's pool each might keep 8 KiB of what else was in it.
 */
const PREFIX_PIECE_BYTES = 1_024;
let prefixPiece = Buffer.alloc(0);

function takePrefixBytes(length: number): Buffer {
  if (prefixPiece.length < length) prefixPiece = Buffer.allocUnsafeSlow(PREFIX_PIECE_BYTES);
  const taken = prefixPiece.subarray(0, length);
  prefixPiece = prefixPiece.subarray(length);
  return taken;
}

/** Packs frames into one preallocated buffer. Not for reuse across turns: `finish` resets it. */
export class EntryBuilder {
  #buffer: Buffer;
  #length = 0;
  #baseMs = 0;
  #count = 0;

  constructor(initialBytes = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes used so far. */
  get bytes(): number {
    return this.#length;
  }

  /** Whether a frame of this time can be told in this entry; else it belongs into the next one. */
  fits(atMs: number): boolean {
    const offsetMs = atMs - this.#baseMs;
    return this.#count === 0 || (offsetMs >= 0 && offsetMs <= MAX_ENTRY_AGE_MS);
  }

  /** @param text the frame's UTF-8 bytes. @param answer the reply, if there is one that does not follow from the action. */
  add(
    prefix: Buffer,
    flags: number,
    seq: number,
    atMs: number,
    text: Uint8Array,
    answer: GivenAnswer | undefined,
  ): void {
    const answerBytes = answer === undefined ? 0 : 8 + answer.text.length;
    const following = 6 + prefix.length + answerBytes + text.length;
    this.#reserve(this.#end + 4 + following);
    let at = this.#head(prefix, seq, atMs, following);
    const b = this.#buffer;
    b[at] = (prefix[0] as number) | flags | (answer === undefined ? 0 : FLAG_ANSWER);
    at += prefix.length;
    if (answer !== undefined) {
      at = b.writeUInt32LE(wholeMs(answer.afterMs), at);
      at = b.writeUInt32LE(answer.text.length, at);
      b.set(answer.text, at);
      at += answer.text.length;
    }
    b.set(text, at);
    this.#length = at + text.length;
    this.#count += 1;
  }

  /**
   * Lays a frame without flags or answer out where `addStaged` would have it stand, with a 0 byte behind it; until then it is
   * no part of the entry, and whatever else is added or staged takes its place. So a frame is copied once and looked at here.
   * @returns its place in `bytesSoFar`
   */
  stage(prefixLength: number, text: Uint8Array): number {
    const at = this.#end + FRAME_HEAD + prefixLength;
    const end = at + text.length;
    this.#reserve(end + 1);
    this.#buffer.set(text, at);
    this.#buffer[end] = 0;
    return at;
  }

  /** What is packed, and what is staged behind it. Another buffer after each `add`, `stage` and `finish`. */
  get bytesSoFar(): Uint8Array {
    return this.#buffer;
  }

  /** Adds the frame that was staged last, with the same prefix. @param length its bytes */
  addStaged(prefix: Buffer, seq: number, atMs: number, length: number): void {
    this.#length = this.#head(prefix, seq, atMs, 6 + prefix.length + length) + prefix.length + length;
    this.#count += 1;
  }

  /** The entry (a copy), and the builder is empty again. @param room for an entry of this many bytes */
  finish(room: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer {
    const entry = room(this.#length);
    this.#buffer.copy(entry, 0, 0, this.#length);
    this.#count = 0;
    this.#length = 0;
    return entry;
  }

  /** Where the next frame begins. */
  get #end(): number {
    return this.#count === 0 ? ENTRY_HEADER : this.#length;
  }

  /**
   * Writes what stands in front of a frame's prefix, and the prefix; in front of the first frame the entry's own head. By
   * bytes, because it is done for every frame of every station.
   * @param following bytes behind the length @returns where the prefix stands
   */
  #head(prefix: Buffer, seq: number, atMs: number, following: number): number {
    const b = this.#buffer;
    const start = this.#end;
    if (this.#count === 0) {
      this.#baseMs = Math.max(0, atMs - BASE_BEFORE_FIRST_MS);
      b[0] = ENTRY_FORMAT;
      b.writeUIntLE(this.#baseMs, 1, 6);
    }
    // For a caller that does not ask `fits`: no offset may be negative.
    const offsetMs = Math.min(Math.max(atMs - this.#baseMs, 0), MAX_ENTRY_AGE_MS);
    b[start] = following;
    b[start + 1] = following >>> 8;
    b[start + 2] = following >>> 16;
    b[start + 3] = following >>> 24;
    b[start + 4] = seq;
    b[start + 5] = seq >>> 8;
    b[start + 6] = seq >>> 16;
    b[start + 7] = seq >>> 24;
    b[start + 8] = offsetMs;
    b[start + 9] = offsetMs >>> 8;
    b.set(prefix, start + FRAME_HEAD);
    return start + FRAME_HEAD;
  }

  /** Makes room for so many bytes in all. */
  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

const wholeMs = (ms: number | undefined): number =>
  ms === undefined ? NOT_MEASURED : Math.min(Math.max(Math.round(ms), 0), NOT_MEASURED - 1);

/** Packs whole frames: for tests and for writers off the hot path. */
export function encodeEntry(frames: readonly LaneFrame[]): Buffer {
  const builder = new EntryBuilder();
  for (const f of frames) {
    const flags =
      (f.kind === "event" ? FLAG_EVENT : 0) |
      (f.kind === "outbound" ? FLAG_OUTBOUND : 0) |
      (f.flagged ? FLAG_FLAGGED : 0);
    const answer =
      f.answer === undefined ? undefined : { text: Buffer.from(f.answer, "utf8"), afterMs: f.answeredAfterMs };
    builder.add(
      framePrefix(f.version, f.epoch, f.identity),
      flags,
      f.seq,
      f.receivedAtMs,
      Buffer.from(f.text, "utf8"),
      answer,
    );
  }
  return builder.finish();
}

/** Unpacks an entry. Throws UnknownEntryFormat for a newer format, RangeError for a damaged entry. */
export function decodeEntry(entry: Buffer): LaneFrame[] {
  const format = entry[0] ?? 0;
  if (format < FIRST_FORMAT || format > ENTRY_FORMAT) throw new UnknownEntryFormat(format);
  const baseMs = entry.readUIntLE(1, 6);
  const frames: LaneFrame[] = [];
  let at = ENTRY_HEADER;
  while (at < entry.length) {
    const end = at + 4 + entry.readUInt32LE(at);
    if (end > entry.length || end < at + 4 + FRAME_FIXED + 1)
      throw new RangeError(`frame at byte ${at} runs out of the entry`);
    frames.push(decodeFrameAt(entry, at + 4, end, baseMs, format));
    at = end;
  }
  return frames;
}

function decodeFrameAt(entry: Buffer, start: number, end: number, baseMs: number, format: number): LaneFrame {
  const seq = entry.readUInt32LE(start);
  const receivedAtMs = baseMs + entry.readUInt16LE(start + 4);
  const versionAndFlags = entry[start + 6] as number;
  const version = OCPP_VERSIONS[versionAndFlags >> 4];
  if (version === undefined) throw new RangeError(`no OCPP version has the code ${versionAndFlags >> 4}`);
  const epoch = entry.readUIntLE(start + 7, 6);
  let at = start + FRAME_FIXED;
  const identityEnd = at + 1 + (entry[at] as number);
  const identity = entry.toString("utf8", at + 1, identityEnd) as StationIdentity | "";
  at = identityEnd;
  let answer: string | undefined;
  let answeredAfterMs = NOT_MEASURED;
  if (versionAndFlags & FLAG_ANSWER) {
    if (format > 1) {
      answeredAfterMs = entry.readUInt32LE(at);
      at += 4;
    }
    const answerEnd = at + 4 + entry.readUInt32LE(at);
    if (answerEnd > end) throw new RangeError(`answer at byte ${at} runs out of its frame`);
    answer = entry.toString("utf8", at + 4, answerEnd);
    at = answerEnd;
  }
  const kind = versionAndFlags & FLAG_EVENT ? "event" : versionAndFlags & FLAG_OUTBOUND ? "outbound" : "inbound";
  const flagged = (versionAndFlags & FLAG_FLAGGED) !== 0;
  const text = entry.toString("utf8", at, end);
  return {
    kind,
    identity,
    version,
    epoch,
    seq,
    receivedAtMs,
    text,
    flagged,
    ...(answer === undefined ? {} : { answer }),
    ...(answeredAfterMs === NOT_MEASURED ? {} : { answeredAfterMs }),
  };
}
