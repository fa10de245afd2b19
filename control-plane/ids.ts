import { createHash, randomBytes } from "node:crypto";

/** Lower-case Crockford base32: no i, l, o, u, so that ids survive being read aloud and typed. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export type IdPrefix =
  | "ins"
  | "proj"
  | "cp"
  | "comm"
  | "key"
  | "org"
  | "whe"
  | "sess"
  | "cmd"
  | "evt"
  | "whd"
  | "mail"
  | "tok"
  | "aud"
  | "era"
  | "rot"
  | "csr"
  | "crt"
  | "quirk";

/** Random characters after the prefix. Station identities stay at the quickstart's 15 characters in all (60 bit). */
const LENGTH: Record<IdPrefix, number> = {
  ins: 12,
  proj: 12,
  cp: 12,
  comm: 12,
  key: 12,
  org: 12,
  whe: 12,
  sess: 16,
  cmd: 26,
  evt: 26,
  whd: 26,
  mail: 26,
  tok: 16,
  aud: 26,
  era: 16,
  rot: 16,
  csr: 16,
  crt: 16,
  quirk: 12,
};

/** A new id such as `cp_01hxab1c2d3e`, random: nobody's ids can be guessed from their own. */
export const newId = (prefix: IdPrefix): string => idOf(prefix, drawn(LENGTH[prefix]));

/**
 * The id of what has this business key: the same one when it is written again, by a Postgres that had lost it. The key
 * begins with an id that is random itself, so that this one is no easier to guess.
 */
export const idFor = (prefix: IdPrefix, ...key: readonly (string | number)[]): string =>
  idOf(prefix, createHash("sha256").update(JSON.stringify(key)).digest().subarray(0, LENGTH[prefix]));

/** Drawn in advance: asking the system for a few bytes costs as much as for many. */
let random = Buffer.alloc(0);
function drawn(length: number): Uint8Array {
  if (random.length < length) random = randomBytes(4_096);
  const bytes = random.subarray(0, length);
  random = random.subarray(length);
  return bytes;
}

function idOf(prefix: IdPrefix, bytes: Uint8Array): string {
  let id = `${prefix}_`;
  for (const byte of bytes) id += ALPHABET[byte & 31];
  return id;
}
