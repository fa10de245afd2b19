import { lastLines } from "./log-file.ts";

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
const STEADY_AFTER_MS = 60_000; // after so long the next death counts as the first again

interface Kept<T> {
  name: string;
  logFile: string;
  /** @param previous what ran before: a server comes back on its port */
  start(previous: T | undefined): Promise<T>;
  stop(current: T): Promise<void>;
  say(line: string): void;
}

/**
 * Starts something, and from then on starts it again whenever it ends, after a growing pause.
 *
 * @returns what was started first; `stop` ends what runs by then
 * @throws when the first start fails: what cannot start at all is not tried again
 */
export async function keepRunning<T extends { ended: Promise<void> }>(
  kept: Kept<T>,
): Promise<{ first: T; stop(): Promise<void> }> {
  const stopping = Promise.withResolvers<"stop">();
  let isStopping = false;
  const first = await kept.start(undefined);
  let current = first;

  const watch = async () => {
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_RETRY_MS)) {
      const startedAt = Date.now();
      await current.ended;
      if (isStopping) return;
      if (Date.now() - startedAt > STEADY_AFTER_MS) pauseMs = FIRST_RETRY_MS;
      const why = lastLines(kept.logFile, { count: 5 });
      kept.say(
        `${kept.name} ended unexpectedly; starting it again in ${pauseMs / 1_000} s. The end of its log (${kept.logFile}):\n${why}`,
      );
      await Promise.race([new Promise((resolve) => setTimeout(resolve, pauseMs)), stopping.promise]);
      if (isStopping) return;
      try {
        current = await kept.start(current);
        if (isStopping) return; // `stop` ends it
        kept.say(`${kept.name} is back`);
      } catch (cause) {
        if (!isStopping) kept.say(cause instanceof Error ? cause.message : String(cause));
      }
    }
  };
  const watched = watch();

  return {
    first,
    async stop() {
      isStopping = true;
      stopping.resolve("stop");
      await kept.stop(current);
      await watched;
      await kept.stop(current); // what was being started at that moment
    },
  };
}
