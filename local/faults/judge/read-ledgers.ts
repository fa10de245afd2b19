import { closeSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type { LedgerLine } from "../contract.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Reads ledger files from where it stopped the last time. A line that is not whole yet waits for its rest. */
export class LedgerReader {
  readonly #files: { path: string; at: number; rest: string; decoder: StringDecoder }[] = [];

  add(paths: readonly string[]): void {
    for (const path of paths) this.#files.push({ path, at: 0, rest: "", decoder: new StringDecoder("utf8") });
  }

  /** All new lines, file after file; a station's lines are in one file, in the order in which things happened. */
  *lines(): Iterable<LedgerLine> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (const file of this.#files) {
      const handle = openSync(file.path, "r");
      try {
        for (;;) {
          const count = readSync(handle, chunk, 0, CHUNK_BYTES, file.at);
          if (count === 0) break;
          file.at += count;
          const parts = (file.rest + file.decoder.write(chunk.subarray(0, count))).split("\n");
          file.rest = parts.pop() ?? "";
          for (const part of parts) if (part !== "") yield JSON.parse(part) as LedgerLine;
        }
      } finally {
        closeSync(handle);
      }
    }
  }
}
