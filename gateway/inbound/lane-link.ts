import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { LaneRoute } from "./lane-route.ts";

/** One connection of the lane writer, from its readiness to its first error. After that nothing it says counts. */
export class LaneLink {
  readonly connection: Redis;
  /** The server that it leads to has this key, or would have it. */
  readonly has: (key: string) => boolean;
  readonly failed: Promise<Error>;
  dead = false;
  /** A WAIT or WAITAOF is on its way. The link's own: one that hangs on a dead connection must not hold up the next. */
  committing = false;
  /** Monotonic ms of the last reply. */
  repliedAtMs: number;
  readonly #settle: (error: Error) => void;

  /** @param nowMs monotonic */
  constructor(route: LaneRoute, nowMs: () => number) {
    this.connection = route.connection;
    this.has = (key) => route.has(key);
    this.repliedAtMs = nowMs();
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#settle = resolve;
  }

  /** The first reason counts. */
  fail(reason: Error): void {
    if (this.dead) return;
    this.dead = true;
    this.#settle(reason);
  }
}

/** A server that takes the connection and then says nothing for so long is tried anew. */
const READY_TIMEOUT_MS = 5_000;

/** Resolves when commands can be sent on the link; from then on a closed connection fails it. Rejects when that takes too long. */
export async function linkReady(link: LaneLink, abort: AbortSignal): Promise<void> {
  const { connection } = link;
  if (connection.status !== "ready") {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, abort]);
    const settled = new Promise<boolean>((resolve) => {
      connection.once("ready", () => resolve(true));
      connection.once("end", () => resolve(false));
    });
    const isReady = await Promise.race([settled, sleep(READY_TIMEOUT_MS, false, { signal })]).finally(() =>
      stop.abort(),
    );
    if (!isReady) throw new Error("Redis does not answer");
  }
  connection.once("close", () => link.fail(new Error("connection to Redis closed")));
}
