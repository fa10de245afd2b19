/** What the caller can put right: shown without a stack. */
export class CliMistake extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CliMistake";
  }
}

/** The flag's value, or a CliMistake that names it. */
export function required(value: string | undefined, flag: string): string {
  if (value === undefined || value.trim() === "") throw new CliMistake(`--${flag} is missing; --help shows how`);
  return value;
}
