import type { Logger } from "pino";

export interface StopStep {
  name: string;
  run(): unknown;
}

/**
 * Runs the steps in order, once, however often it is called; a failed step is logged and the next still runs.
 * Resolves to the exit code: 0 when every step went well before the deadline.
 */
export function createShutdown(steps: readonly StopStep[], deadlineMs: number, log: Logger): () => Promise<0 | 1> {
  let running: Promise<0 | 1> | undefined;

  const runAll = async () => {
    let exitCode: 0 | 1 = 0;
    for (const { name, run } of steps) {
      try {
        await run();
        log.info({ step: name }, "stopped");
      } catch (error) {
        exitCode = 1;
        log.error({ step: name, error }, "stop failed");
      }
    }
    return exitCode;
  };

  const runWithDeadline = () =>
    new Promise<0 | 1>((resolve) => {
      const timer = setTimeout(() => {
        log.error({ deadlineMs }, "stop deadline passed");
        resolve(1);
      }, deadlineMs);
      void runAll().then((exitCode) => {
        clearTimeout(timer);
        resolve(exitCode);
      });
    });

  return () => (running ??= runWithDeadline());
}

/** For main.ts: ends the process in order on SIGTERM and SIGINT. */
export function stopOnSignals(shutdown: () => Promise<0 | 1>, log: Logger): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      log.info({ signal }, "stopping");
      void shutdown().then((exitCode) => process.exit(exitCode));
    });
  }
}

/**
 * For main.ts, before anything is connected: a fault that nobody caught is one line of the log, and the end with 1. Nothing
 * is tidied up, because nothing is known of the state any more: whoever runs the process starts it again.
 */
export function endOnFault(log: Logger): void {
  process.once("uncaughtException", (error) => {
    log.fatal({ error }, "crashed");
    process.exit(1);
  });
}
