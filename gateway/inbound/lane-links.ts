import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import { DurabilityRefused } from "./lane-durability.ts";
import { LaneLink, linkReady } from "./lane-link.ts";
import type { LaneRoute } from "./lane-route.ts";

const MAX_BACKOFF_MS = 1_000;

export interface LaneLinksDeps {
  /** A new connection to the server that has the lane now. Rejects when none is known to. */
  connect(): Promise<LaneRoute>;
  /** Brings what is held in line with what the lane has. Nothing else is in flight meanwhile. Rejects when it cannot. */
  resume(link: LaneLink): Promise<void>;
  /** The link works from now on. */
  linked(): void;
  /** Redis that answers nothing for so long is away. */
  replyTimeoutMs: number;
  nowMs(): number;
  /** For the log. */
  facts(): { laneId: string; waitingBytes: number };
  metrics: Pick<GatewayMetrics, "publishErrors">;
  log: Logger;
  onAway?: (() => void) | undefined;
  onBack?: (() => void) | undefined;
}

/**
 * The lane writer's way to Redis, one link after the other: connect, resume, work until the first error, again. A link
 * that failed is thrown away with its connection.
 */
export class LaneLinks {
  readonly #deps: LaneLinksDeps;
  readonly #closing = new AbortController();
  #current: LaneLink | undefined;
  #backoffMs = 0;
  #away = false;

  constructor(deps: LaneLinksDeps) {
    this.#deps = deps;
  }

  /** The link that works; undefined: Redis is away. */
  get current(): LaneLink | undefined {
    return this.#current;
  }

  /** Something got through: the next failure is that of a connection that breaks, not of a Redis that is away. */
  progressed(): void {
    this.#backoffMs = 0;
  }

  /** Goes on until `close`. @param refused told when the server cannot keep the configured durability; it is tried again */
  async run(opened: () => void, refused: (reason: Error) => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      let link: LaneLink | undefined;
      try {
        link = new LaneLink(await this.#deps.connect(), this.#deps.nowMs);
        await linkReady(link, this.#closing.signal);
        await this.#resumeInTime(link);
        this.#setCurrent(link);
        opened();
        this.#deps.linked();
        throw await link.failed;
      } catch (cause) {
        this.#setCurrent(undefined);
        if (!this.#closing.signal.aborted) this.#report(cause as Error, refused);
      } finally {
        link?.fail(new Error("replaced"));
        link?.connection.disconnect();
      }
      this.#backoffMs = Math.min(Math.max(this.#backoffMs * 2, 25), MAX_BACKOFF_MS);
      await sleep(this.#backoffMs * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(
        () => undefined,
      );
    }
  }

  /** Lets the connection go, for good. */
  close(): void {
    this.#closing.abort();
    this.#current?.fail(new Error("closed"));
  }

  /** A client without resend leaves the promises of a lost connection open for ever: so there is a limit, and a guard. */
  async #resumeInTime(link: LaneLink): Promise<void> {
    const timer = setTimeout(() => link.fail(new Error("no reply from Redis")), this.#deps.replyTimeoutMs);
    const failed = link.failed.then((reason) => Promise.reject(reason));
    await Promise.race([this.#deps.resume(link), failed]).finally(() => clearTimeout(timer));
  }

  #report(cause: Error, refused: (reason: Error) => void): void {
    const { log, metrics, facts } = this.#deps;
    metrics.publishErrors.inc();
    if (cause instanceof DurabilityRefused) {
      log.error({ reason: cause.message }, "durability refused");
      refused(cause);
    }
    if (this.#away) return log.debug({ error: cause.message }, "lane still away");
    log.error({ error: cause.message, waitingBytes: facts().waitingBytes }, "lane away");
    this.#away = true;
    this.#deps.onAway?.();
  }

  #setCurrent(link: LaneLink | undefined): void {
    this.#current = link;
    if (link === undefined || !this.#away) return;
    this.#away = false;
    this.#deps.log.info({ laneId: this.#deps.facts().laneId }, "lane back");
    this.#deps.onBack?.();
  }
}
