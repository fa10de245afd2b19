// Work that must not be lost lives in Postgres; a BullMQ job is only the wake-up for one of its rows, and holds nothing but
// the row's id. Redis may forget jobs, hand one out twice, or be away: rows that are due are found again by the sweep of
// job-runner.ts.

/** One kind of work: rows with a due time. */
export interface DurableWork {
  /** Also the BullMQ queue's name: lower-case, no colon. */
  name: string;
  /** How many rows of it one process works on at the same moment. */
  concurrency: number;
  /**
   * Does what is due for this row, under its row lock: called for rows that are not due (any more), and by two processes at
   * once. What is expected to fail (a refused mail) moves the row's own due time; faults (no Postgres) are thrown, and the
   * row is called again later.
   */
  run(id: string): Promise<void>;
  /** Ids of rows whose due time has passed, longest first. */
  due(limit: number): Promise<string[]>;
}

/** Says that a row is due now, or soon. */
export interface WakeUps {
  /**
   * Never throws and never waits: a wake-up that Redis did not take is made up for by the sweep. To be called after the
   * commit of what it is about. @param delayMs how long until the row is due; 0 by default.
   */
  wake(work: string, id: string, delayMs?: number): void;
}
