/**
 * Works on so many of the items at the same moment. @returns the results in the items' order. Rejects with the first fault:
 * nothing is begun after it.
 */
export async function inWaves<T, R>(items: readonly T[], atATime: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await work(next[1]);
  };
  try {
    await Promise.all(Array.from({ length: atATime }, worker));
  } finally {
    left.length = 0;
  }
  return results;
}
