export interface CleanUp {
  /** Rejects when the work is to be given up: its time is over, or the process is told to stop. Never resolves. */
  over: Promise<never>;
  run(): Promise<unknown>;
  /** Told why the clean-up failed. */
  onFailure(error: unknown): void;
}

/**
 * Does the work until it ends or is to be given up, and then cleans up, however it went.
 *
 * @throws what went wrong with the work, else what went wrong with the clean-up
 */
export async function cleanUpAfter(work: () => Promise<void>, { over, run, onFailure }: CleanUp): Promise<void> {
  const [worked] = await Promise.allSettled([Promise.race([work(), over])]);
  const [cleaned] = await Promise.allSettled([run()]);
  if (cleaned.status === "rejected") onFailure(cleaned.reason);
  for (const outcome of [worked, cleaned]) if (outcome.status === "rejected") throw outcome.reason;
}
