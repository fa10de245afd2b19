import { NotHere } from "./go-tools.ts";

export interface Report {
  /** Runs one check and prints how it went. What it throws is why it failed; NotHere, why it could not run. */
  check(name: string, run: () => unknown): Promise<void>;
  /** The same for what later checks need; undefined when it is not to be had. */
  need<T>(name: string, get: () => Promise<T>): Promise<T | undefined>;
  /** Prints the sums. Returns the exit code: where it is strict a check that could not run has failed. */
  finish(how?: { strict: boolean }): 0 | 1;
}

/** Prints each check as it ends: passed, failed, or not run, which is never mistaken for passed. */
export function createReport(): Report {
  const sums = { passed: 0, failed: 0, notRun: 0 };
  const missing: string[] = [];
  const startedAt = performance.now();

  const ended = (name: string, fault?: unknown) => {
    if (fault === undefined) {
      sums.passed += 1;
      console.log(`ok       ${name}`);
    } else if (fault instanceof NotHere) {
      sums.notRun += 1;
      missing.push(`${name}: ${fault.message}`);
      console.log(`NOT RUN  ${name}\n         ${fault.message}`);
    } else {
      sums.failed += 1;
      const reason = fault instanceof Error ? fault.message : JSON.stringify(fault);
      console.log(`FAILED   ${name}\n         ${reason.trim().replaceAll("\n", "\n         ")}`);
    }
  };

  return {
    async check(name, run) {
      try {
        await run();
        ended(name);
      } catch (fault) {
        ended(name, fault);
      }
    },
    async need(name, get) {
      try {
        const value = await get();
        ended(name);
        return value;
      } catch (fault) {
        ended(name, fault);
        return undefined;
      }
    },
    finish({ strict } = { strict: false }) {
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      if (missing.length > 0)
        console.log(`\nNOT RUN on this machine:\n${missing.map((line) => `  ${line}`).join("\n")}`);
      console.log(`\n${sums.passed} passed, ${sums.failed} failed, ${sums.notRun} not run, in ${seconds} s`);
      return sums.failed === 0 && (!strict || sums.notRun === 0) ? 0 : 1;
    },
  };
}
