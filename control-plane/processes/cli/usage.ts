import type { Command, Flag } from "./cli-command.ts";

/** How the command line is called from the checkout. */
const CALL = "npm run -s cli --";

const GLOBAL: Readonly<Record<string, Flag>> = {
  output: { value: "table|json", help: "-o for short; a table on a terminal, else JSON, one object a line" },
  help: { help: "this page" },
};

/** The page of one command: what it does, its flags, and an example that works as it stands. */
export function commandPage(command: Command): string {
  return [
    `${command.summary}${command.more === undefined ? "" : `\n${command.more}`}`,
    `Usage:\n  ${CALL} ${synopsis(command)}`,
    `Flags:\n${flagLines({ ...command.flags, ...GLOBAL })}`,
    `Examples:\n${command.examples.map((line) => `  ${CALL} ${line}`).join("\n")}`,
  ].join("\n\n");
}

/** The list of commands, or of those of one group. */
export function overviewPage(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    `Usage:\n  ${CALL} COMMAND [flags]`,
    `Commands:\n${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${firstSentence(summary)}`).join("\n")}`,
    `COMMAND --help has its flags and an example. \`completion bash\` and \`completion zsh\` make the shell know all of them.`,
    `Exit codes: 0 done; 1 it was done and something is wrong, or a fault of ours; 2 a mistake that you can put right;\n3 Redis or Postgres is away: try again later; 130 Ctrl-C.`,
  ].join("\n\n");
}

const firstSentence = (text: string): string => (/^.*?[.:](?= |$)/.exec(text)?.[0] ?? text).replace(/[.:]$/, "");

function synopsis({ name, flags }: Command): string {
  const words = Object.entries(flags).map(([flag, { value, required }]) => {
    const text = value === undefined ? `--${flag}` : `--${flag} ${value}`;
    return required === true ? text : `[${text}]`;
  });
  return [name, ...words].join(" ");
}

function flagLines(flags: Readonly<Record<string, Flag>>): string {
  const shown = Object.entries(flags).map(([name, flag]) => [
    `--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`,
    `${flag.help}${flag.required === true ? " (required)" : ""}`,
  ]);
  const width = Math.max(...shown.map(([left = ""]) => left.length));
  return shown.map(([left = "", right = ""]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
