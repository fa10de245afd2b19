import type { Writable } from "node:stream";
import { ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { Command } from "ioredis";

/** Told once, one or the other. */
export interface Appended {
  /** @param hasLane false: there is no such stream any more, and nothing was written */
  replied(hasLane: boolean): void;
  /** Redis refused it, or the connection broke: it may be there or not. */
  failed(error: Error): void;
}

/** Below it one copy costs less than a write of several parts. */
const COPIED_BYTES = 4 * 1024;
const END = Buffer.from("\r\n", "latin1");

/**
 * XADD of one entry. The client's own way copies an entry twice, checks every argument and makes promises: for large entries
 * several times the cost of sending them.
 * An id at or below the stream's last one is refused by Redis, never doubled. NOMKSTREAM: a lane that vanished answers nil,
 * instead of starting again with holes that nobody sees.
 */
export class AppendCommand extends Command {
  readonly #head: string;
  readonly #entry: Buffer;

  /** @param entry not to be changed any more */
  constructor(key: string, id: number, entry: Buffer, { replied, failed }: Appended) {
    super("xadd");
    const idText = `${id}-0`;
    this.#head =
      `*6\r\n$4\r\nXADD\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n$10\r\nNOMKSTREAM\r\n` +
      `$${idText.length}\r\n${idText}\r\n$${ENTRY_FIELD.length}\r\n${ENTRY_FIELD}\r\n$${entry.length}\r\n`;
    this.#entry = entry;
    this.resolve = (reply: Buffer | null) => replied(reply !== null);
    this.reject = failed;
  }

  /** What the client is to write; large entries are written here but for their end, without a copy. */
  override toWritable(stream: object): Buffer {
    const entry = this.#entry;
    if (entry.length >= COPIED_BYTES) {
      const socket = stream as Writable;
      socket.cork();
      socket.write(this.#head, "utf8");
      socket.write(entry);
      process.nextTick(uncork, socket);
      return END;
    }
    const headBytes = Buffer.byteLength(this.#head);
    const bytes = Buffer.allocUnsafe(headBytes + entry.length + END.length);
    bytes.write(this.#head, "utf8");
    bytes.set(entry, headBytes);
    bytes.set(END, headBytes + entry.length);
    return bytes;
  }
}

const uncork = (socket: Writable): void => socket.uncork();
