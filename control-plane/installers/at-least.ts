import { setTimeout as pause } from "node:timers/promises";

/**
 * Waits for `work`, and no less than `ms`: for answers that must not tell by their time whether an account exists.
 * Work that takes longer shows; it is a few statements.
 */
export async function atLeast<T>(ms: number, work: Promise<T>): Promise<T> {
  const [outcome] = await Promise.all([work, pause(ms)]);
  return outcome;
}
