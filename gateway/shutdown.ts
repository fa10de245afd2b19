import type { Logger } from "pino";

export interface StopStep {
  name: string;
  run(): Promise<void> | void;
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
