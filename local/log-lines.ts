import { parseArgs } from "node:util";
import { err, ok, type Result } from "@dynamo-csms/proto/result";

/** A line of a process's log (proto/process/logger.ts). */
export interface LogLine {
  atMs: number;
  /** As pino counts: info is 30. */
  level: number;
  event: string;
  facts: Record<string, unknown>;
}

export interface LogOptions {
  station: string | undefined;
  node: string | undefined;
  process: string | undefined;
  trace: string | undefined;
  level: number;
  follow: boolean;
}

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;
const COLOURS: Record<number, number> = { 10: 90, 20: 90, 30: 32, 40: 33, 50: 31, 60: 35 };

/** Reads the arguments. The error is what is wrong with them; "" asks for the usage. */
export function readLogOptions(args: string[]): Result<LogOptions, string> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    const { values } = parseArgs({
      args,
      options: { station: text, node: text, process: text, trace: text, level: text, follow: flag, help: flag },
    });
    if (values.help === true) return err("");
    const level = values.level ?? "trace";
    if (!Object.hasOwn(LEVELS, level)) return err(`--level ${level}: want one of ${Object.keys(LEVELS).join(", ")}`);
    const { station, node, process, trace, follow = false } = values;
    return ok({ station, node, process, trace, follow, level: LEVELS[level as keyof typeof LEVELS] });
  } catch (cause) {
    return err((cause as Error).message);
  }
}

/** Undefined: no line of a process of ours, such as a server's own. */
export function readLine(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
    const atMs = Date.parse(String(time));
    if (typeof level !== "number" || typeof msg !== "string" || Number.isNaN(atMs)) return undefined;
    return { atMs, level, event: msg, facts };
  } catch {
    return undefined;
  }
}

/** Whether a line is one of those that were asked for. Stations are compared case-folded, as everywhere. */
export function isWanted({ level, facts }: LogLine, wanted: LogOptions): boolean {
  const { station, node, process, trace_id: trace } = facts;
  return (
    level >= wanted.level &&
    (wanted.station === undefined || String(station).toLowerCase() === wanted.station.toLowerCase()) &&
    (wanted.node === undefined || String(node).startsWith(wanted.node)) &&
    (wanted.process === undefined || process === wanted.process) &&
    (wanted.trace === undefined || trace === wanted.trace)
  );
}

/** One line for a person: time, level, who, what, facts; an error's stack below it. */
export function formatLine({ atMs, level, event, facts }: LogLine, colours: boolean): string {
  const paint = (code: number, text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const { process, node, error, ...rest } = facts;
  const word = Object.entries(LEVELS).find(([, value]) => value === level)?.[0] ?? String(level);
  const who = [process, node].filter((name) => typeof name === "string").join(" ");
  const stack = (error as { stack?: unknown } | undefined)?.stack;
  const shown = stack === undefined && error !== undefined ? { ...rest, error } : rest;
  const told = Object.entries(shown).map(([name, value]) => `${paint(90, `${name}=`)}${visible(value)}`);
  const head = [
    paint(90, new Date(atMs).toISOString().slice(11, 23)),
    paint(COLOURS[level] ?? 0, word.toUpperCase().padEnd(5)),
    paint(36, who),
    event,
    ...told,
  ].join(" ");
  return typeof stack === "string" ? `${head}\n${visible(stack, "\n")}` : head;
}

/** Lines may hold what stations sent: nothing of it may move a terminal's cursor. */
function visible(value: unknown, kept = ""): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (each) =>
    each === kept ? each : `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
