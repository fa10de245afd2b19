import type { Environment } from "@dynamo-csms/proto/process/environment";

/** A flag of a command. With `value` it takes one, shown under that name; without it is a switch. */
export interface Flag {
  value?: string;
  required?: true;
  help: string;
  /** What completion offers. */
  choices?: readonly string[];
}

type Flags = Readonly<Record<string, Flag>>;

/** What the flags of a table give: texts, where required surely; switches. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends { value: string }
    ? F[K] extends { required: true }
      ? string
      : string | undefined
    : boolean | undefined;
};

/** What a command has to work with, beside its flags. */
export interface CommandIo {
  env: Environment;
  readFile(path: string): string;
  /** One object of the result: a line of JSON at once, or a row of the table at the end. */
  print(row: object): void;
  /** One line of a result that has no end: told at once, in either form. */
  tell(text: string, row: object): void;
  /** Text of the result as it is: a script, a page. Only where there is no JSON. */
  write(text: string): void;
  /** What is not the result: stderr. */
  note(text: string): void;
  /** As `-o` has it, or as fits what stdout is. */
  output: "table" | "json";
  /** Whether colours are wanted: a terminal, and no NO_COLOR. */
  colours: boolean;
  /** It was carried out, and what came of it is not good: exit code 1. */
  fail(): void;
  /** Ctrl-C, SIGTERM, or nobody who reads what is printed. */
  signal: AbortSignal;
}

export interface Command {
  /** Its words: "charge-points list". */
  name: string;
  summary: string;
  /** What the summary leaves open. */
  more?: string;
  flags: Flags;
  /** What follows `npm run -s cli --`; the first words are the name. */
  examples: readonly string[];
  /** Of a list: what the table shows of a row; the JSON has all. Without, a row is shown as lines of `name  value`. */
  columns?: readonly string[];
  /** For people: a table unless JSON is asked for, wherever it goes. */
  prefersTable?: true;
  /** It changes nothing, or not the deployment's data: no entry in the audit log. */
  reads: boolean;
  run(values: Readonly<Record<string, string | boolean | undefined>>, io: CommandIo): Promise<void>;
}

/** A command whose `run` is given the flags with the types that their table says. */
export function defineCommand<const F extends Flags>(
  command: Omit<Command, "flags" | "run" | "reads"> & {
    flags: F;
    reads?: true;
    run(values: FlagValues<F>, io: CommandIo): Promise<void>;
  },
): Command {
  return {
    ...command,
    reads: command.reads === true,
    // parse-command.ts reads the flags by this very table.
    run: (values, io) => command.run(values as FlagValues<F>, io),
  };
}

/** Flags that several commands have. */
export const ORG = { value: "ORG_ID", help: "the organisation; may be left out while there is one only" } as const;
export const PROJECT = { value: "PROJECT_ID", help: "a project of the organisation" } as const;
