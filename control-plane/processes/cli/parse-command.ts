import { parseArgs } from "node:util";
import { didYouMean } from "../../http/did-you-mean.ts";
import type { Command } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";

/** What else a group is called. */
const ALIASES: Readonly<Record<string, string>> = {
  org: "organizations",
  organization: "organizations",
  key: "api-keys",
  keys: "api-keys",
  "api-key": "api-keys",
  project: "projects",
  cp: "charge-points",
  "charge-point": "charge-points",
  node: "nodes",
  lane: "lanes",
  "dead-letter": "dead-letters",
  "id-token": "id-tokens",
  webhook: "webhooks",
};

const OUTPUTS = ["table", "json"] as const;

/** What somebody typed: a command with its flags, its page, or the list of those that begin so. */
export type Parsed =
  | { kind: "run"; command: Command; values: Values; output: (typeof OUTPUTS)[number] | undefined }
  | { kind: "page"; command: Command }
  | { kind: "overview"; commands: readonly Command[]; asked: boolean };

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** Reads the arguments by the commands' own tables. Throws CliMistake with what is wrong and what there is instead. */
export function parseCommand(args: readonly string[], commands: readonly Command[]): Parsed {
  const end = args.findIndex((arg) => arg.startsWith("-"));
  const words = args.slice(0, end < 0 ? args.length : end);
  const rest = args.slice(words.length);
  const wantsHelp = rest.some((arg) => arg === "--help" || arg === "-h");
  const [first = "", ...others] = words;
  const name = [ALIASES[first] ?? first, ...others].join(" ");
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    const group = commands.filter((one) => name === "" || one.name.startsWith(`${name} `));
    if (group.length > 0) return { kind: "overview", commands: group, asked: wantsHelp };
    const near = nearest(name, commands);
    throw new CliMistake(
      `there is no command \`${name}\`${near === undefined ? ";" : `: did you mean \`${near}\`?`} \`--help\` lists all of them.`,
    );
  }
  if (wantsHelp) return { kind: "page", command };
  const { output, ...values } = readFlags(command, rest);
  const wanted = OUTPUTS.find((known) => known === output);
  if (output !== undefined && wanted === undefined) throw new CliMistake(`--output: want one of ${OUTPUTS.join(", ")}`);
  return { kind: "run", command, values, output: wanted };
}

function readFlags(command: Command, args: readonly string[]): Values {
  const options = Object.fromEntries(
    Object.entries(command.flags).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  let values: Values;
  try {
    const given = parseArgs({ args: [...args], options: { ...options, output: { type: "string", short: "o" } } });
    values = given.values as Values;
  } catch (fault) {
    throw new CliMistake(`${(fault as Error).message.replace(/[.]? To specify.*$/s, "")}. ${seePage(command)}`);
  }
  for (const [name, { required }] of Object.entries(command.flags))
    if (required === true && String(values[name] ?? "").trim() === "")
      throw new CliMistake(`--${name} is missing. ${seePage(command)}`);
  return values;
}

const seePage = ({ name }: Command): string => `\`${name} --help\` shows the flags and an example.`;

function nearest(name: string, commands: readonly Command[]): string | undefined {
  return didYouMean(
    name,
    commands.map((one) => one.name),
  );
}
