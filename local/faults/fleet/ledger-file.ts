import { closeSync, openSync, writeSync } from "node:fs";
import type { LedgerLine } from "../contract.ts";

const FLUSH_AT_CHARACTERS = 256 * 1024;

/** An append-only ledger. A line is in the buffer when `add` returns, and in the file after the next `flush`. */
export class LedgerFile {
  readonly #file: number;
  #lines = "";

  constructor(path: string) {
    this.#file = openSync(path, "a", 0o644);
  }

  add(line: LedgerLine): void {
    this.#lines += `${JSON.stringify(line)}\n`;
    if (this.#lines.length > FLUSH_AT_CHARACTERS) this.flush();
  }

  /** Synchronous: nothing happens to a station between what it says and its place in the file. */
  flush(): void {
    if (this.#lines === "") return;
    const bytes = Buffer.from(this.#lines);
    this.#lines = "";
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}
