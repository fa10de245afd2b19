import type { ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import { editDistance } from "../http/did-you-mean.ts";

// Attempts under unknown identities belong to nobody yet: to whoever registers them, perhaps to somebody else. So of all of
// them one unit's people see only those that can hardly be meant for another unit.

export const SIMILARITIES = ["contains_charge_point_id", "contains_serial_number", "near_miss"] as const;
export type Similarity = (typeof SIMILARITIES)[number];

export interface SoughtUnit {
  /** Case-folded. */
  identity: string;
  serialNumber: string;
}

/** Ids that are long enough to be nobody else's by chance, wherever in a path they stand. */
const DISTINCT = 12;
/** Shorter ones than this say nothing: half the units of the world are called "1". */
const SHORTEST = 5;
const MAX_SIMILAR = 10;

/** Those that are similar to the unit's id or serial number, newest first, a few. */
export function similarAttempts(
  attempts: readonly ConnectionAttempt[],
  unit: SoughtUnit,
): { attempt: ConnectionAttempt; similarity: Similarity }[] {
  const found: { attempt: ConnectionAttempt; similarity: Similarity }[] = [];
  for (const attempt of attempts) {
    const similarity = similarityOf(attempt.path, unit);
    if (similarity !== undefined) found.push({ attempt, similarity });
    if (found.length === MAX_SIMILAR) break;
  }
  return found;
}

/** How the path of an attempt is like the unit; undefined: it is not. */
export function similarityOf(path: string, unit: SoughtUnit): Similarity | undefined {
  const text = decoded(path).toLowerCase();
  const segments = text.split("/").filter((segment) => segment !== "");
  const { identity } = unit;
  // Many units leave away what they take for a prefix.
  const bare = identity.replace(/^cp_/, "");
  const isThere = (id: string) => (id.length >= DISTINCT ? text.includes(id) : standsAlone(text, id));
  if (isThere(identity) || (bare.length >= DISTINCT && text.includes(bare))) return "contains_charge_point_id";
  if (standsAlone(text, unit.serialNumber.toLowerCase())) return "contains_serial_number";
  return segments.some((segment) => isNearMiss(segment, identity)) ? "near_miss" : undefined;
}

/**
 * Whole, not as a part of a longer word, and with a digit: a serial number is the installer's own word, and must not be a
 * way to search other people's attempts.
 */
function standsAlone(text: string, wanted: string): boolean {
  if (wanted.length < SHORTEST || !/\d/.test(wanted)) return false;
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + 1)) {
    const before = text[at - 1] ?? "/";
    const after = text[at + wanted.length] ?? "/";
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
  }
  return false;
}

/** Read or typed wrongly: `O` for `0`, `l` for `1`, a letter too many or too few. */
function isNearMiss(segment: string, identity: string): boolean {
  if (segment.length < SHORTEST || segment.length > 64 || identity.length < SHORTEST) return false;
  if (asRead(segment) === asRead(identity)) return true;
  // CS-017 is not CS-018 mistyped, but the unit beside it. Our own ids are random.
  const withoutDigits = (text: string) => text.replaceAll(/\d+/g, "#");
  if (!/^cp_[0-9a-z]{12}$/.test(identity) && withoutDigits(segment) === withoutDigits(identity)) return false;
  return editDistance(segment, identity) <= (identity.length >= DISTINCT ? 2 : 1);
}

/** What looks alike on a sticker. */
const asRead = (text: string): string =>
  text
    .replaceAll(/[\s_.-]/g, "")
    .replaceAll("o", "0")
    .replaceAll(/[il]/g, "1");

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
