import type { Logger } from "pino";
import { createLogLevelSwitch, type LogLevelSwitch, toggleOnSignal } from "./log-level.ts";
import { createLogger, type LogLevel } from "./logger.ts";
import { startTracing, type Tracing } from "./tracing.ts";
import type { TracingSettings } from "./tracing-settings.ts";

export interface Telling {
  log: Logger;
  logLevel: LogLevelSwitch;
  /** Undefined: nothing is traced. */
  tracing: Tracing | undefined;
}

/**
 * For main.ts: what a process tells of itself in lines and traces. SIGUSR2 switches the log between `debug` and the
 * configured level. @param facts in every line and span
 */
export async function openLog(
  config: { logLevel: LogLevel; tracing: TracingSettings | undefined },
  processName: string,
  facts: Record<string, string> = {},
): Promise<Telling> {
  const tracing = await startTracing(config.tracing, {
    processName,
    facts,
    onProblem: (problem) => log.warn({ problem }, "traces not sent"),
  });
  const log = createLogger(config.logLevel, processName, {
    facts,
    ...(tracing && { traceId: () => tracing.current()?.traceId }),
  });
  const logLevel = createLogLevelSwitch(log, config.logLevel);
  toggleOnSignal(logLevel);
  return { log, logLevel, tracing };
}
