/** An outcome the caller is expected to handle. Faults (a lost connection, a bug) are thrown, never returned. */
export type Result<T, E> = { ok: true; value: T } | { ok: false; error: E };

/** The outcome went well. */
export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
/** The outcome is the expected failure `error`. */
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error });
