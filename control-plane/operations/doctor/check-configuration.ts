import type { Environment } from "@dynamo-csms/proto/process/environment";
import { BadConfiguration } from "@dynamo-csms/proto/process/bad-configuration";
import { type Check, Findings } from "./finding.ts";

/** How a process reads its environment: throws BadConfiguration with its mistakes. */
export interface ProcessConfig {
  name: string;
  read(env: Environment): unknown;
}

/**
 * Whether the processes would start with the environment that this command has. What is not set is no mistake: whoever looks
 * after a deployment has seldom all of it at hand.
 */
export function configurationCheck(env: Environment, processes: readonly ProcessConfig[]): Check {
  return {
    name: "configuration",
    run: async () => {
      const say = new Findings("configuration");
      const told = new Set<string>();
      for (const { name, read } of processes)
        for (const mistake of mistakesOf(() => read(env))) {
          if (told.has(mistake)) continue;
          told.add(mistake);
          say.problem(`${name}: ${mistake}`, "See docs/configuration.md.");
        }
      if (say.all.length === 0) say.ok("what is set here is right");
      return say.all;
    },
  };
}

function mistakesOf(read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (fault) {
    if (!(fault instanceof BadConfiguration)) throw fault;
    // Some pairs and threes are refused because a part of them is missing: that too may be the environment of this shell.
    return fault.mistakes.filter((mistake) => !/ is not set: want |: set all three/.test(mistake));
  }
}
