/**
 * Waits for a stated condition, asking every 50 ms. The deadline is a bound for a broken system, not an expectation.
 * @throws when the condition throws, or does not come true within 60 s (or `deadlineMs`), naming it.
 */
export async function eventually<T>(
  what: string,
  holds: () => T | Promise<T>,
  deadlineMs = 60_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await holds();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs / 1_000} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
