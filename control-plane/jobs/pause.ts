/** Resolves after the time, or at once when the signal says to stop. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Waits for the work to settle, but no longer than this: for ends that an absent Redis would hold up for ever. */
export async function settledWithin(work: Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([Promise.allSettled([work]), pause(ms, over.signal)]);
  over.abort();
}
