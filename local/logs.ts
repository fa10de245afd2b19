// `npm run logs`: what the processes of the local stack say, in the order of time, for people.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FOLDERS } from "./folders.ts";
import { sizeOf, textFrom } from "./log-file.ts";
import { formatLine, isWanted, readLine, readLogOptions, type LogLine } from "./log-lines.ts";

const USAGE = `npm run logs -- [--station ID] [--node ID] [--process NAME] [--level debug|info|warn|error] [--trace ID] [--follow]
  lines of the running or the last local stack; --node takes the beginning of an id, --level what is at least as bad`;
/** Of each file, without --follow; it may be large. */
const LAST_BYTES = 2_000_000;
const LOOK_MS = 300;

const options = readLogOptions(process.argv.slice(2));
if (!options.ok) {
  console.error(`${options.error}\n${USAGE}`);
  process.exit(options.error === "" ? 0 : 2);
}
const wanted = options.value;
if (!existsSync(FOLDERS.logs)) {
  console.error("no logs here: npm start first");
  process.exit(1);
}
// `npm run logs | head` ends it.
process.stdout.on("error", () => process.exit(0));

const read = new Map<string, number>();
for (let first = true; first || wanted.follow; first = false) {
  const lines = logFiles().flatMap((file) => newLines(file, first));
  lines.sort((one, other) => one.atMs - other.atMs);
  for (const line of lines) if (isWanted(line, wanted)) console.log(formatLine(line, process.stdout.isTTY));
  if (wanted.follow) await sleep(LOOK_MS);
}

function logFiles(): string[] {
  return readdirSync(FOLDERS.logs)
    .filter((name) => name.endsWith(".log"))
    .map((name) => join(FOLDERS.logs, name));
}

/** Whole lines since the last look. A file that became shorter was begun again. */
function newLines(file: string, first: boolean): LogLine[] {
  const size = sizeOf(file);
  const known = read.get(file) ?? (first ? Math.max(0, size - LAST_BYTES) : 0);
  const text = textFrom(file, size < known ? 0 : known);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  read.set(file, (size < known ? 0 : known) + Buffer.byteLength(whole));
  return whole.split("\n").flatMap((line) => readLine(line) ?? []);
}
