import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { lane } from "@dynamo-csms/proto/redis-keys";
import type { Batch } from "./apply-batch.ts";

const TRIM_EVERY_MS = 1_000;

/**
 * Trims a lane below what is committed, less the replay window: a Postgres that fails over to a standby which lacks the
 * last commits goes back to an older offset, and finds its entries still there. Never by length: that would lose frames.
 */
export class LaneTrimmer {
  readonly #redis: RedisConnection;
  readonly #laneId: string;
  readonly #replayWindowMs: number;
  /** Committed offsets with the time of their commit, oldest first. */
  readonly #committed: { entryId: string; atMs: number }[] = [];
  #nextTrimMs = 0;

  constructor(deps: { redis: RedisConnection; laneId: string; replayWindowMs: number }) {
    this.#redis = deps.redis;
    this.#laneId = deps.laneId;
    this.#replayWindowMs = deps.replayWindowMs;
  }

  /** @param nowMs monotonic: a clock that is set forwards must not shorten the replay window. */
  committed({ to }: Batch, nowMs: number): void {
    const last = this.#committed.at(-1);
    // One mark a second is fine enough; the newer offset would only trim later.
    if (last === undefined || nowMs - last.atMs >= 1_000) this.#committed.push({ entryId: to, atMs: nowMs });
  }

  /** Rejects when Redis is away: nothing is lost, the next call trims more. `nowMs` as above. */
  async trim(nowMs: number): Promise<void> {
    if (nowMs < this.#nextTrimMs) return;
    this.#nextTrimMs = nowMs + TRIM_EVERY_MS;
    const past = this.#committed.findLastIndex(({ atMs }) => atMs <= nowMs - this.#replayWindowMs);
    const mark = this.#committed[past];
    if (mark === undefined) return;
    await this.#redis.xtrim(lane(this.#laneId), "MINID", mark.entryId);
    this.#committed.splice(0, past + 1);
  }
}
