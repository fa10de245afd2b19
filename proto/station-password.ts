import { hash, timingSafeEqual } from "node:crypto";
import type { StationVerifier } from "./station-record.ts";

/** id → secret bytes. The first is used for new passwords, the others until their stations changed theirs. */
export type Peppers = ReadonlyMap<string, Buffer>;

const BLOCK_BYTES = 64;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/**
 * HMAC-SHA-256 under a pepper, not argon2: passwords are generated (119 bit), and a reconnect storm must stay cheap. Put
 * together of its two hashes (RFC 2104 §2): for inputs this short, Node's own spends nine tenths of its time on the key.
 */
export function digestPassword(password: Uint8Array, pepper: Buffer): Buffer {
  const { inner, outer } = padsOf(pepper);
  const fits = BLOCK_BYTES + password.length <= inner.length;
  const message = fits ? inner : Buffer.concat([inner.subarray(0, BLOCK_BYTES)], BLOCK_BYTES + password.length);
  message.set(password, BLOCK_BYTES);
  outer.set(hash("sha256", message.subarray(0, BLOCK_BYTES + password.length), "buffer"), BLOCK_BYTES);
  return hash("sha256", outer, "buffer");
}

/** Both blocks of a key, each with room behind it for what is hashed after it. */
interface Pads {
  inner: Buffer;
  outer: Buffer;
}

const padsOfPeppers = new WeakMap<Buffer, Pads>();

function padsOf(pepper: Buffer): Pads {
  const known = padsOfPeppers.get(pepper);
  if (known !== undefined) return known;
  const key = pepper.length > BLOCK_BYTES ? hash("sha256", pepper, "buffer") : pepper;
  const pads = { inner: Buffer.alloc(4 * BLOCK_BYTES, INNER_PAD), outer: Buffer.alloc(BLOCK_BYTES + 32, OUTER_PAD) };
  for (const pad of [pads.inner, pads.outer])
    for (const [at, byte] of key.entries()) pad[at] = (pad[at] as number) ^ byte;
  padsOfPeppers.set(pepper, pads);
  return pads;
}

/** Compared against when there is nothing to compare with, so that unknown stations cost as much as known ones. */
const NO_DIGEST = Buffer.alloc(32);
const NO_DIGEST_TEXT = NO_DIGEST.toString("base64");

/** A station has one password, or two while it is being changed, each perhaps in two forms: always as many are compared. */
const VERIFIERS = 4;

/** Keys have 20 bytes at the most in 1.6, passwords 64 characters in 2.x: what is longer is no key in another encoding. */
const MAX_KEY_BYTES = 64;

export interface PasswordMatch {
  verifier: StationVerifier;
  /** False: it matches only once hex text is read as bytes, or bytes as hex text (J16 §6.2.2 leaves stations in doubt). */
  asSent: boolean;
}

/**
 * Which of the station's passwords came over the wire, as it was sent or in the other encoding of a hex key; whether the
 * latter counts is for the caller to say. The number of digests is the same for everybody, known or not, right or not: one for
 * each reading under each pepper of the process.
 */
export function matchPassword(
  wire: Uint8Array,
  verifiers: readonly StationVerifier[],
  peppers: Peppers,
  digest: (password: Uint8Array, pepper: Buffer) => Buffer = digestPassword,
): PasswordMatch | undefined {
  const readings = readingsOf(wire);
  const stored = storedDigests(verifiers);
  let match: PasswordMatch | undefined;
  for (const [pepperId, pepper] of peppers) {
    for (const [index, { bytes, counts }] of readings.entries()) {
      const actual = digest(bytes, pepper);
      const asSent = index === 0;
      for (const [slot, expected] of stored.entries()) {
        const verifier = verifiers[slot];
        const usable = verifier?.pepperId === pepperId && expected.length === actual.length;
        const same = timingSafeEqual(actual, usable ? expected : NO_DIGEST);
        if (same && usable && counts && verifier !== undefined && (match === undefined || (asSent && !match.asSent)))
          match = { verifier, asSent };
      }
    }
  }
  return match;
}

/** As many for everybody. */
function storedDigests(verifiers: readonly StationVerifier[]): Buffer[] {
  const length = Math.max(VERIFIERS, verifiers.length);
  return Array.from({ length }, (_, slot) => Buffer.from(verifiers[slot]?.digest ?? NO_DIGEST_TEXT, "base64"));
}

/** True when the bytes that came over the wire are one of the station's passwords, as they were sent. */
export function passwordMatches(wire: Uint8Array, verifiers: readonly StationVerifier[], peppers: Peppers): boolean {
  return matchPassword(wire, verifiers, peppers)?.asSent === true;
}

/** As sent; hex digits as the bytes they stand for; bytes as hex text, in both spellings. What is no such reading is hashed for its time alone. */
function readingsOf(wire: Uint8Array): { bytes: Uint8Array; counts: boolean }[] {
  const key = Buffer.from(wire.subarray(0, MAX_KEY_BYTES));
  const whole = key.length === wire.length && key.length > 0;
  const text = key.toString("latin1");
  const hex = key.toString("hex");
  return [
    { bytes: wire, counts: true },
    { bytes: Buffer.from(text, "hex"), counts: whole && text.length % 2 === 0 && /^[0-9a-f]+$/i.test(text) },
    { bytes: Buffer.from(hex), counts: whole },
    { bytes: Buffer.from(hex.toUpperCase()), counts: whole },
  ];
}

/** Reads `id:base64[,id:base64…]`, the form of STATION_PEPPERS. Throws with the reason when it is none. */
export function parsePeppers(text: string): Peppers {
  const peppers = new Map<string, Buffer>();
  for (const part of text.split(",")) {
    const [id, secret] = part.trim().split(":");
    const bytes = Buffer.from(secret ?? "", "base64");
    if (!id || bytes.length < 32) throw new Error("want id:base64 with at least 32 bytes each, separated by commas");
    peppers.set(id, bytes);
  }
  return peppers;
}
