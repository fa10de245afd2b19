import type { CommandReport } from "@dynamo-csms/proto/command-message";
import type { NodeChannel } from "./node-channel.ts";

/** The reports on one command, in the order they came, for one reader. */
export interface ReportInbox {
  /** The next report; undefined when none came in time, or when the signal said to stop. */
  next(timeoutMs: number, signal: AbortSignal): Promise<CommandReport | undefined>;
  close(): void;
}

/** Listens from now on, so that no report can come before somebody reads. */
export function openInbox(channel: Pick<NodeChannel, "onReports">, commandId: string): ReportInbox {
  const waiting: CommandReport[] = [];
  let wakeReader: (() => void) | undefined;
  const close = channel.onReports(commandId, (report) => {
    waiting.push(report);
    wakeReader?.();
  });
  return {
    next(timeoutMs, signal) {
      if (waiting.length > 0 || signal.aborted) return Promise.resolve(waiting.shift());
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          wakeReader = undefined;
          resolve(waiting.shift());
        };
        const timer = setTimeout(done, Math.max(timeoutMs, 0));
        signal.addEventListener("abort", done);
        wakeReader = done;
      });
    },
    close,
  };
}
