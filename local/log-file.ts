import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/** In bytes: where what is written from now on begins. */
export function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}

/** What was written to a file from a byte on. Empty when there is no such file. */
export function textFrom(file: string, from: number): string {
  if (!existsSync(file)) return "";
  const handle = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(handle).size - from));
    return bytes.toString("utf8", 0, readSync(handle, bytes, 0, bytes.length, from));
  } finally {
    closeSync(handle);
  }
}

/**
 * The last lines of a log file, for a message that says why a program ended.
 *
 * @param part `from`: the byte where this run's output begins
 */
export function lastLines(file: string, { count = 20, from = 0 } = {}): string {
  return textFrom(file, from).trimEnd().split("\n").slice(-count).join("\n");
}
