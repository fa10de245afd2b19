import { createHmac, timingSafeEqual } from "node:crypto";
import type { StationVerifier } from "./station-record.ts";

/** id → secret bytes. The first is used for new passwords, the others until their stations changed theirs. */
export type Peppers = ReadonlyMap<string, Buffer>;

/** HMAC-SHA-256 under a pepper, not argon2: passwords are generated (119 bit), and a reconnect storm must stay cheap. */
export function digestPassword(password: Uint8Array, pepper: Buffer): Buffer {
  return createHmac("sha256", pepper).update(password).digest();
}

/** Compared against when there is nothing to compare with, so that unknown stations cost as much as known ones. */
const NO_DIGEST = Buffer.alloc(32);

/** True when the bytes that came over the wire are one of the station's passwords. Constant time per verifier. */
export function passwordMatches(wire: Uint8Array, verifiers: readonly StationVerifier[], peppers: Peppers): boolean {
  let matches = false;
  for (const verifier of verifiers) {
    const pepper = peppers.get(verifier.pepperId);
    const expected = Buffer.from(verifier.digest, "base64");
    const actual = digestPassword(wire, pepper ?? NO_DIGEST);
    const same = timingSafeEqual(actual, expected.length === actual.length ? expected : NO_DIGEST);
    if (same && pepper !== undefined && expected.length === actual.length) matches = true;
  }
  if (verifiers.length === 0) timingSafeEqual(digestPassword(wire, NO_DIGEST), NO_DIGEST);
  return matches;
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
