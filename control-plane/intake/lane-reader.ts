import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { ENTRY_FIELD } from "@dynamo-csms/proto/stream-entry";
import { lane } from "@dynamo-csms/proto/redis-keys";

export interface LaneEntry {
  id: string;
  bytes: Buffer;
}

/** The connection hangs (a stopped server, a network that swallows): longer than any BLOCK. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Reads one lane on a connection of its own, since BLOCK holds a connection up. */
export class LaneReader {
  readonly #redis: RedisConnection;
  readonly #key: string;
  /** Since when the connection is up without a break, or undefined. Monotonic: a clock that is set must not age a lease. */
  #upSinceMs: number | undefined;

  constructor(redis: RedisConnection, laneId: string) {
    this.#redis = redis;
    this.#key = lane(laneId);
    if (redis.status === "ready") this.#upSinceMs = performance.now();
    redis.on("ready", () => (this.#upSinceMs = performance.now()));
    redis.on("close", () => (this.#upSinceMs = undefined));
  }

  /** How long Redis has been reachable without a break, ms. */
  get upForMs(): number {
    return this.#upSinceMs === undefined ? 0 : performance.now() - this.#upSinceMs;
  }

  /** Entries after `offset`, in order; waits up to `blockMs` (0: not at all) for the first. Rejects when Redis is away. */
  async read(offset: string, count: number, blockMs: number): Promise<LaneEntry[]> {
    const answer =
      blockMs > 0
        ? this.#redis.xreadBuffer("COUNT", count, "BLOCK", blockMs, "STREAMS", this.#key, offset)
        : this.#redis.xreadBuffer("COUNT", count, "STREAMS", this.#key, offset);
    // [[key, [[id, [field, value, …]], …]]], or null when nothing came.
    const entries = ((await this.#inTime(answer, blockMs)) as [Buffer, [Buffer, Buffer[]][]][] | null)?.[0]?.[1] ?? [];
    return entries.map(([id, fields]) => ({ id: id.toString(), bytes: fieldOf(fields) }));
  }

  /** Id of the last entry that the lane was ever given; undefined: there is no such stream. Rejects when Redis is away. */
  async lastId(): Promise<string | undefined> {
    try {
      const info = (await this.#inTime(this.#redis.xinfo("STREAM", this.#key), 0)) as unknown[];
      return info[info.indexOf("last-generated-id") + 1] as string;
    } catch (cause) {
      if (cause instanceof Error && cause.message.startsWith("ERR no such key")) return undefined;
      throw cause;
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #inTime<T>(answer: Promise<T>, blockMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#redis.disconnect(true);
        reject(new Error("Redis does not answer"));
      }, blockMs + ANSWER_TIMEOUT_MS);
    });
    // Whoever comes second has nobody waiting any more.
    answer.catch(() => {});
    try {
      return await Promise.race([answer, tooLate]);
    } catch (cause) {
      // A cluster stays "ready" while the one master that has the lane is away.
      if (this.#upSinceMs !== undefined) this.#upSinceMs = performance.now();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** An entry without the field is no entry of ours: empty, it is set aside as damaged. */
function fieldOf(fields: Buffer[]): Buffer {
  for (let i = 0; i + 1 < fields.length; i += 2)
    if (fields[i]?.toString() === ENTRY_FIELD) return fields[i + 1] as Buffer;
  return Buffer.alloc(0);
}
