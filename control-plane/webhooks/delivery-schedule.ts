/** Pauses after a failed attempt, in seconds; the first attempt is at once. Ten attempts over about 75 hours. */
const PAUSES_SECONDS = [
  5,
  5 * 60,
  30 * 60,
  2 * 3_600,
  5 * 3_600,
  10 * 3_600,
  14 * 3_600,
  20 * 3_600,
  24 * 3_600,
] as const;

/** A receiver may ask for more time with Retry-After, but not to be forgotten. */
const LONGEST_RETRY_AFTER_SECONDS = 24 * 3_600;

/**
 * How long to wait after a failed attempt, or undefined when it was the last one. Up to a tenth is added at random, so that
 * what failed together does not come back together.
 * @param attempts attempts made so far, from 1
 * @param random from 0 to 1
 */
export function pauseAfterMs(
  attempts: number,
  random: number,
  retryAfterSeconds: number | undefined,
): number | undefined {
  const pause = PAUSES_SECONDS[attempts - 1];
  if (pause === undefined) return undefined;
  const wanted = Math.min(retryAfterSeconds ?? 0, LONGEST_RETRY_AFTER_SECONDS);
  return Math.round(Math.max(pause, wanted) * (1 + random / 10) * 1_000);
}

/** Reads Retry-After (RFC 9110 §10.2.3): seconds, or a date. Undefined when it is neither. */
export function parseRetryAfter(value: string | string[] | undefined, now: Date): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now.getTime()) / 1_000));
}
