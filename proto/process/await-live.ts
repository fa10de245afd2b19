import type { Logger } from "pino";

export interface AwaitLiveDeps {
  /** Whether something answers at an address with 2xx. Never rejects. */
  answers(url: string): Promise<boolean>;
  nowMs(): number;
  pause(ms: number): Promise<unknown>;
  log: Logger;
}

const EVERY_MS = 1_000;

/**
 * Waits until each address has answered once, or for `limitMs` in all: what starts in an order must not stay down because
 * another does.
 *
 * @returns the addresses that did not answer
 */
export async function awaitLive(
  urls: readonly string[],
  limitMs: number,
  { answers, nowMs, pause, log }: AwaitLiveDeps,
): Promise<string[]> {
  const endsAtMs = nowMs() + limitMs;
  let missing = [...urls];
  for (let told = false; ; told = true) {
    const results = await Promise.all(missing.map(answers));
    missing = missing.filter((_, index) => !results[index]);
    if (missing.length === 0 || nowMs() >= endsAtMs) break;
    if (!told) log.info({ missing }, "waiting for those before");
    await pause(EVERY_MS);
  }
  if (missing.length > 0) log.warn({ missing, limitMs }, "not waiting any longer");
  return missing;
}

/** Asks with a GET. A second is enough for what only says that it lives. */
export async function answersGet(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(EVERY_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Reads `--limit-seconds=N` and addresses, in any order. Throws with what is wrong. */
export function readAwaitArguments(args: readonly string[]): { urls: string[]; limitMs: number } {
  let limitMs = 120_000;
  const urls: string[] = [];
  for (const arg of args) {
    const limit = /^--limit-seconds=(\d{1,4})$/.exec(arg);
    if (limit !== null) limitMs = Number(limit[1]) * 1_000;
    else if (/^https?:\/\//.test(arg) && URL.canParse(arg)) urls.push(arg);
    else throw new Error(`${arg}: want --limit-seconds=N or http://host:port/livez`);
  }
  return { urls, limitMs };
}
