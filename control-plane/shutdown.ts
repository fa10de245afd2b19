import type { Logger } from "pino";

export interface ShutdownStep {
  name: string;
  run(): unknown;
}

/**
 * Runs the steps in order, once however often it is called; a failed step is logged and the next still runs.
 * Resolves to the exit code: 0 when every step succeeded within `deadlineMs`, else 1.
 */
export function createShutdown(steps: readonly ShutdownStep[], deadlineMs: number, log: Logger): () => Promise<number> {
  const runAll = async () => {
    let exitCode = 0;
    for (const step of steps) {
      try {
        await step.run();
        log.info({ step: step.name }, "stopped");
      } catch (error) {
        exitCode = 1;
        log.error({ step: step.name, err: error }, "stop failed");
      }
    }
    return exitCode;
  };
  let running: Promise<number> | undefined;
  return () =>
    (running ??= new Promise((resolve) => {
      const timer = setTimeout(() => {
        log.error({ deadlineMs }, "shutdown deadline passed");
        resolve(1);
      }, deadlineMs);
      void runAll().then((code) => {
        clearTimeout(timer);
        resolve(code);
      });
    }));
}

/** Ends the process in order on SIGTERM and SIGINT; for main.ts alone. */
export function stopOnSignals(shutdown: () => Promise<number>): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => void shutdown().then((code) => process.exit(code)));
}
