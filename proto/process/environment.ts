/** What a process was started with. Only main.ts takes it from process.env. */
export type Environment = Record<string, string | undefined>;

/**
 * Reads variables and collects every mistake. Whoever reads throws BadConfiguration with all of them at the end; what was
 * given back in place of a wrong value is then never used.
 */
export class EnvironmentReader {
  readonly mistakes: string[] = [];
  readonly #env: Environment;
  readonly #readFile: (path: string) => string;

  constructor(env: Environment, readFile: (path: string) => string) {
    this.#env = env;
    this.#readFile = readFile;
  }

  /** The variable's text; "" counts as not set, as in compose files and Helm values. */
  text(name: string): string | undefined {
    return this.#env[name] === "" ? undefined : this.#env[name];
  }

  /** NAME, or the content of the file that NAME_FILE names (mounted secrets end in a newline: trimmed). */
  secret(name: string): string | undefined {
    const path = this.text(`${name}_FILE`);
    if (path === undefined) return this.text(name);
    if (this.text(name) !== undefined) this.mistakes.push(`${name} and ${name}_FILE are both set: set one`);
    try {
      return this.#readFile(path).trim();
    } catch (cause) {
      this.mistakes.push(
        `${name}_FILE=${path}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`,
      );
      return undefined;
    }
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.mistakes.push(`${name}=${text}: want an integer from ${min} to ${max}`);
    return fallback;
  }

  /** Whole seconds or milliseconds with their unit (`25s`, `500ms`), as milliseconds; a bare number means milliseconds. */
  durationMs(name: string, fallbackMs: number, minMs: number, maxMs: number): number {
    const text = this.text(name);
    if (text === undefined) return fallbackMs;
    const parts = /^(\d+)(ms|s)?$/.exec(text);
    const valueMs = Number(parts?.[1]) * (parts?.[2] === "s" ? 1_000 : 1);
    if (parts !== null && valueMs >= minMs && valueMs <= maxMs) return valueMs;
    this.mistakes.push(`${name}=${text}: want a time from ${minMs}ms to ${maxMs}ms, such as 25s or 500ms`);
    return fallbackMs;
  }

  choice<T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.mistakes.push(`${name}=${text}: want one of ${choices.join(", ")}`);
    return choice ?? fallback;
  }

  /** Runs a parser that throws its reason. The value is never repeated in the mistake: it may be a secret. */
  parsed<T>(name: string, text: string | undefined, parse: (text: string) => T): T | undefined {
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (cause) {
      this.mistakes.push(`${name}: ${(cause as Error).message}`);
      return undefined;
    }
  }

  /** As `parsed`, and not set is a mistake too. */
  required<T>(name: string, text: string | undefined, parse: (text: string) => T, want: string): T | undefined {
    if (text === undefined && !this.mistakes.some((mistake) => mistake.startsWith(`${name}_FILE=`)))
      this.mistakes.push(`${name} is not set: want ${want}`);
    return this.parsed(name, text, parse);
  }
}
