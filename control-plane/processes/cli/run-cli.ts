import type { Environment } from "@dynamo-csms/proto/process/environment";
import { auditedCommand } from "./audited-command.ts";
import type { Command, CommandIo } from "./cli-command.ts";
import { EXIT, explainFault } from "./explain-fault.ts";
import { parseCommand } from "./parse-command.ts";
import { facts, jsonLine, table } from "./table.ts";
import { commandPage, overviewPage } from "./usage.ts";

/** What the command line is run on. */
export interface Terminal {
  env: Environment;
  readFile(path: string): string;
  stdout: { isTTY?: boolean; write(text: string): unknown };
  stderr: { write(text: string): unknown };
  /** Ends what runs until it is told. */
  signal: AbortSignal;
}

/** Carries one command out, and says how that went. Results go to stdout, everything else to stderr. @returns the exit code. */
export async function runCli(
  args: readonly string[],
  commands: readonly Command[],
  { env, readFile, stdout, stderr, signal }: Terminal,
): Promise<number> {
  const say = (text: string) => stderr.write(`${text}\n`);
  try {
    const parsed = parseCommand(args, commands);
    if (parsed.kind === "page") {
      stdout.write(`${commandPage(parsed.command)}\n`);
      return EXIT.done;
    }
    if (parsed.kind === "overview") {
      (parsed.asked ? stdout : stderr).write(`${overviewPage(parsed.commands)}\n`);
      return parsed.asked ? EXIT.done : EXIT.mistake;
    }
    const { command, values } = parsed;
    const output = parsed.output ?? (stdout.isTTY === true || command.prefersTable === true ? "table" : "json");
    let exitCode: number = EXIT.done;
    const rows: object[] = [];
    const io: CommandIo = {
      env,
      readFile,
      output,
      colours: stdout.isTTY === true && (env["NO_COLOR"] ?? "") === "",
      print: (row) => (output === "json" ? stdout.write(`${jsonLine(row)}\n`) : rows.push(row)),
      tell: (text, row) => stdout.write(`${output === "json" ? jsonLine(row) : text}\n`),
      write: (text) => stdout.write(text),
      note: say,
      fail: () => (exitCode = EXIT.failed),
      signal,
    };
    const run = () => command.run(values, io);
    try {
      await (command.reads ? run() : auditedCommand(command.name, values, io, run));
    } finally {
      if (output === "table" && rows.length > 0) stdout.write(`${inTable(rows, command)}\n`);
    }
    if (output === "table" && rows.length === 0 && command.columns !== undefined && exitCode === EXIT.done) say("none");
    return exitCode;
  } catch (fault) {
    const { text, exitCode } = explainFault(fault, ["debug", "trace"].includes(env["LOG_LEVEL"] ?? ""));
    say(text);
    return exitCode;
  }
}

const inTable = (rows: readonly object[], { columns }: Command): string =>
  columns === undefined ? rows.map(facts).join("\n\n") : table(rows, columns);
