/**
 * How an attempt to connect ended. `connected` and what follows it are about sockets that were let in; the rest were refused
 * before the upgrade. What to do about each is said by the control plane, in words.
 */
export const ATTEMPT_OUTCOMES = [
  "connected",
  "unknown_identity",
  "malformed_identity",
  "no_subprotocol",
  "subprotocol_mismatch",
  "wrong_version",
  "no_credentials",
  "bad_credentials",
  "plain_ws",
  "no_client_certificate",
  "bad_client_certificate",
  "wrong_security_profile",
  "tls_error",
  "too_many_attempts",
  "retired",
  "flapping",
  "service_unavailable",
  "superseded",
  "frame_too_large",
  "serial_number_mismatch",
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** One attempt of a station (or of somebody who says so) to connect, as the gateway saw it. */
export interface ConnectionAttempt {
  v: 1;
  /** Gateway clock, Unix ms. */
  atMs: number;
  outcome: AttemptOutcome;
  /** Path as it came, at most 200 characters; never a query string. */
  path: string;
  /** What the station offered, at most 200 characters; "" for nothing. */
  subprotocols: string;
  remoteAddress: string;
  /** Which listener: 1 plain, 2 TLS, 3 mutual TLS. */
  listener: 1 | 2 | 3;
  /** What was forgiven ("trailing-slash", "repeated-identity", "version-in-path-differs", a quirk's name). */
  notes: string[];
  /** For a person: never a credential. At most 200 characters. */
  detail?: string;
  nodeId: string;
  /** How often the same came from the same address before it was told once: this entry stands for that many. Absent: once. */
  times?: number;
}

/** How many attempts of one station are kept, and of all unknown identities together. */
export const ATTEMPTS_PER_STATION = 20;
export const UNKNOWN_ATTEMPTS_KEPT = 500;
/** Both are forgotten this long after the last one. */
export const ATTEMPTS_KEPT_SECONDS = 30 * 24 * 3600;

/** As it stands in Redis. */
export const encodeAttempt = (attempt: ConnectionAttempt): string => JSON.stringify(attempt);

/** Reads what a gateway wrote; undefined for what this build does not know. */
export function decodeAttempt(text: string): ConnectionAttempt | undefined {
  try {
    const attempt = JSON.parse(text) as ConnectionAttempt;
    return attempt.v === 1 && ATTEMPT_OUTCOMES.includes(attempt.outcome) ? attempt : undefined;
  } catch {
    return undefined;
  }
}
