import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const PREFIX = "dyn_live_";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 43 letters hold 256 bit. */
const SECRET_LETTERS = 43;
const CHECKSUM_LETTERS = 6;

/** A new key, `dyn_live_` + 256 bit + checksum: secret scanners find it by its prefix, typing mistakes are seen without the database. */
export function newApiKey(): string {
  const secret = base62(BigInt(`0x${randomBytes(32).toString("hex")}`), SECRET_LETTERS);
  return PREFIX + secret + checksum(secret);
}

/** True for what could be one of our keys; only the database knows whether it is. */
export function isWellFormedApiKey(key: string): boolean {
  if (!key.startsWith(PREFIX) || key.length !== PREFIX.length + SECRET_LETTERS + CHECKSUM_LETTERS) return false;
  const secret = key.slice(PREFIX.length, -CHECKSUM_LETTERS);
  return /^[0-9A-Za-z]+$/.test(secret) && checksum(secret) === key.slice(-CHECKSUM_LETTERS);
}

/** What is stored. A plain hash is enough: nobody guesses 256 bit. */
export const hashApiKey = (key: string): Buffer => createHash("sha256").update(key).digest();

const checksum = (secret: string) => base62(BigInt(crc32(secret)), CHECKSUM_LETTERS);

function base62(value: bigint, letters: number): string {
  let text = "";
  for (let rest = value; text.length < letters; rest /= 62n) text = `${BASE62[Number(rest % 62n)]}${text}`;
  return text;
}
