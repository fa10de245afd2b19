/** Thrown with every mistake of an environment at once, so that a deploy fails once and not five times. */
export class BadConfiguration extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`bad configuration: ${mistakes.join("; ")}`);
    this.name = "BadConfiguration";
    this.mistakes = mistakes;
  }
}

/** What a person is shown instead of a stack trace: one mistake a line, then what to do. */
export function describeMistakes(processName: string, mistakes: readonly string[]): string {
  return [
    `${processName} did not start. Its environment has ${mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`}:`,
    ...mistakes.map((mistake) => `  ${mistake}`),
    "Set these variables (a secret also as NAME_FILE, the path of a file that holds it), then start it again.",
    "",
  ].join("\n");
}

/**
 * For main.ts: the configuration that `read` gives. On BadConfiguration the mistakes go to stderr and the process ends
 * with 1, before it has connected to anything. Everything else that `read` throws is a fault, and thrown on.
 */
export function configure<T>(processName: string, read: () => T): T {
  try {
    return read();
  } catch (fault) {
    if (!(fault instanceof BadConfiguration)) throw fault;
    process.stderr.write(describeMistakes(processName, fault.mistakes));
    process.exit(1);
  }
}
