import type { Logger } from "pino";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";

/** The level of a process's log, and of all that was derived from it. */
export interface LogLevelSwitch {
  readonly level: LogLevel;
  /** False: there is no such level. The change itself is told whatever the level. */
  set(level: string): boolean;
  /** To `debug`, or back to the level that the process was started with. */
  toggle(): void;
}

/** Children made of `log` without a level of their own follow it: pino derives them from their parent. */
export function createLogLevelSwitch(log: Logger, configured: LogLevel): LogLevelSwitch {
  const change = (level: LogLevel) => {
    const from = log.level;
    if (from === level) return;
    // Where both levels would show it, and where only one does.
    log.level = "info";
    log.info({ from, to: level }, "log level changed");
    log.level = level;
  };
  return {
    get level() {
      return log.level as LogLevel;
    },
    set(text) {
      const level = LOG_LEVELS.find((known) => known === text);
      if (level !== undefined) change(level);
      return level !== undefined;
    },
    toggle: () => change(log.level === "debug" ? configured : "debug"),
  };
}

/** For main.ts: SIGUSR2 switches between `debug` and the configured level. */
export function toggleOnSignal(levels: LogLevelSwitch): void {
  process.on("SIGUSR2", () => levels.toggle());
}
