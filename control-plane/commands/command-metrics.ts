import { Histogram, type Registry } from "prom-client";
import type { EndedCommand } from "./outcome-effects.ts";

/** From the answer of a station nearby to a command that waited for its station for days. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3_600, 86_400];

export interface CommandMetrics {
  /**
   * Runs work that may give commands their final states, and hands it whom to tell of each (OutcomeDeps.ended). What was told
   * counts when the work resolves, which is after its commit, and each command once; nothing when it throws.
   */
  whenCommitted<T>(work: (ended: (command: EndedCommand) => void) => Promise<T>): Promise<T>;
}

/**
 * The metrics of a process that ends commands: the api and jobs as they follow them, the intake from the lanes, jobs by the
 * sweep of deadlines. Each command is counted by the one that ended it. Labels are closed: an action that we send (a row has no
 * other), how it was to be delivered, a final state.
 */
export function createCommandMetrics(registry: Registry): CommandMetrics {
  const duration = new Histogram({
    name: "dynamo_command_duration_seconds",
    help: "From the moment a command was accepted to its final state; by the process that gave it the state: sum over all",
    labelNames: ["action", "deliver", "outcome"] as const,
    buckets: SECONDS,
    registers: [registry],
  });
  return {
    async whenCommitted(work) {
      // By id: what was undone to a savepoint is told again.
      const ended = new Map<string, EndedCommand>();
      const result = await work((command) => void ended.set(command.commandId, command));
      for (const { action, deliver, state, tookSeconds } of ended.values())
        duration.observe({ action, deliver, outcome: state }, tookSeconds);
      return result;
    },
  };
}
