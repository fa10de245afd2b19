// The writer of this process's lane: the one place where a frame becomes durable. Everything that arrives in one turn of
// the event loop becomes one entry; an entry's frames are told together when Redis acknowledges it. Its connection never
// repeats or queues a command. After any error it is thrown away, and the writer goes on from what the lane really holds.
// Long, because what it holds together is one state: link, lane, what is in flight. What could be taken out has its own file
// (packing, the retained entries, registration, durability).

import { setTimeout as sleep } from "node:timers/promises";
import { encodeLaneEvent, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import { LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import { FLAG_EVENT, framePrefix } from "@dynamo-csms/proto/stream-entry";
import { Cluster } from "ioredis";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import type { RedisConnection } from "../redis-connection.ts";
import type { Session } from "../sockets/session.ts";
import { DurabilityRefused, groupCommitFor, type AckDurability, type GroupCommit } from "./lane-durability.ts";
import { EntryPacker } from "./entry-packer.ts";
import { LANE_LIMITS, type LaneLimits } from "./lane-limits.ts";
import { LaneLink, linkReady } from "./lane-link.ts";
import {
  appendArguments,
  newLaneIdentity,
  readLaneState,
  registerLane,
  type LaneIdentity,
} from "./lane-registration.ts";
import { RetainedEntries, type RetainedEntry, type Stored } from "./retained-entries.ts";

const TICK_MS = 1_000;
const MAX_BACKOFF_MS = 1_000;

export interface LaneWriterDeps {
  nodeId: string;
  /** A new connection of its own, without resend and offline queue; called again after each error. */
  connect(): RedisConnection;
  durability: AckDurability;
  metrics: Pick<GatewayMetrics, "laneHealthy" | "publishDuration" | "publishErrors" | "laneGaps" | "laneWaitingBytes">;
  log: Logger;
  limits?: Partial<LaneLimits>;
  onAway?(): void;
  onBack?(): void;
}

/** A writer that is not open yet: nothing is connected. */
export const createLaneWriter = (deps: LaneWriterDeps): LaneWriter => new LaneWriter(deps);

export class LaneWriter {
  readonly #deps: LaneWriterDeps;
  readonly #limits: LaneLimits;
  readonly #retained: RetainedEntries;
  readonly #packer: EntryPacker;
  #flushDue = false;
  #lane: LaneIdentity;
  /** The stream exists: from now on nil means that it was lost. */
  #created = false;
  #link: LaneLink | undefined;
  #commit: GroupCommit | undefined;
  #committing = false;
  #backoffMs = 0;
  #away = false;
  #sealed = false;
  #eventSeq = 0;
  readonly #closing = new AbortController();
  #timers: NodeJS.Timeout[] = [];

  constructor(deps: LaneWriterDeps) {
    this.#deps = deps;
    this.#limits = { ...LANE_LIMITS, ...deps.limits };
    this.#retained = new RetainedEntries(this.#limits);
    this.#packer = new EntryPacker(this.#limits);
    this.#lane = newLaneIdentity(deps.nodeId);
  }

  /** Changes when Redis lost the lane and a new one took its place. */
  get laneId(): string {
    return this.#lane.laneId;
  }

  /** True while entries get through: part of readiness. */
  get healthy(): boolean {
    return this.#link !== undefined;
  }

  /**
   * Registers the lane; resolves when it can be written, after waiting for an absent Redis. Rejects with
   * DurabilityRefused when the server cannot keep the configured promise.
   */
  async open(): Promise<void> {
    this.#timers = [setInterval(() => this.#tick(), TICK_MS), setInterval(() => void this.#renew(), LEASE_MS / 3)];
    await new Promise<void>((resolve, reject) => void this.#keepLinked(resolve, reject));
  }

  /**
   * Appends a frame. `done` is told once: true when it is durable, in the order of the appends of this writer; false when
   * it waited for too long or too much waits already (then it may or may not be stored: never answer it).
   * @param flags FLAG_OUTBOUND, FLAG_FLAGGED @param text, answer UTF-8; kept until they are durable, so not to be reused
   */
  append(
    prefix: Buffer,
    flags: number,
    seq: number,
    atMs: number,
    text: Uint8Array,
    answer: Uint8Array | undefined,
    done: Stored,
  ): void {
    this.#append(prefix, flags, seq, atMs, text, answer, done, this.#limits.waitingBytes);
  }

  /** Appends an event of a connection, or of the node (null). Nobody waits for it; it is not given up with age. */
  appendEvent(session: Session | null, event: LaneEvent): void {
    this.#appendEvent(session, event, (stored) => {
      if (!stored) this.#deps.log.debug({ event: event.event }, "lane event late or lost");
    });
  }

  /** Appends `sealed` behind everything and takes nothing more. Resolves when all of it is durable. */
  async seal(): Promise<void> {
    if (this.#sealed) return;
    await new Promise<void>((resolve, reject) => {
      this.#appendEvent(null, { event: "sealed", nodeId: this.#deps.nodeId }, (stored) =>
        stored ? resolve() : reject(new Error("the lane could not be sealed in time")),
      );
      this.#sealed = true;
    });
  }

  /** Lets the connection go. What is not acknowledged by now was never answered. */
  close(): void {
    this.#sealed = true;
    this.#closing.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.#link?.fail(new Error("closed"));
  }

  #appendEvent(session: Session | null, event: LaneEvent, done: Stored): void {
    const text = Buffer.from(encodeLaneEvent(event), "utf8");
    const prefix = session?.prefix ?? NODE_PREFIX;
    const seq = session === null ? ++this.#eventSeq : session.nextSeq();
    this.#append(prefix, FLAG_EVENT, seq, Date.now(), text, undefined, done, 2 * this.#limits.waitingBytes);
  }

  #append(
    prefix: Buffer,
    flags: number,
    seq: number,
    atMs: number,
    text: Uint8Array,
    answer: Uint8Array | undefined,
    done: Stored,
    maxWaiting: number,
  ): void {
    const waiting = this.#retained.waitingBytes + this.#packer.bytes;
    if (this.#sealed || waiting + text.length > maxWaiting) return done(false);
    this.#packer.add(prefix, flags, seq, atMs, text, answer, done);
    if (this.#packer.isFull) this.#retained.push(this.#packer.take());
    if (this.#flushDue) return;
    this.#flushDue = true;
    // Once a turn of the event loop: whatever else arrives in it joins the entry.
    setImmediate(() => {
      this.#flushDue = false;
      this.#pump();
    });
  }

  /** Sends as much as may be on the way at a time. The rest goes on packing, so entries grow with the load. */
  #pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    const inFlight = link.connection instanceof Cluster ? 1 : this.#limits.inFlight;
    while (!link.dead && this.#retained.inFlight < inFlight) {
      if (!this.#retained.hasUnsent && !this.#packer.isEmpty) this.#retained.push(this.#packer.take());
      const entry = this.#retained.takeUnsent(performance.now());
      if (entry === undefined) break;
      this.#send(link, entry);
    }
    if (this.#commit !== undefined) void this.#commitGroup(link, this.#commit);
  }

  #send(link: LaneLink, entry: RetainedEntry): void {
    const [key, ...rest] = appendArguments(this.#lane.key, !this.#created, entry.id, entry.bytes);
    link.connection.call("XADD", key, ...rest).then(
      (id) => {
        // After one failed, a later success must not acknowledge it: what got through is read from the lane.
        if (link.dead) return;
        link.repliedAtMs = performance.now();
        if (id === null) return link.fail(new Error("the lane is gone"));
        this.#created = true;
        if (this.#commit === undefined) this.#acknowledge(entry);
      },
      (error: Error) => link.fail(error),
    );
  }

  #acknowledge(entry: RetainedEntry): void {
    this.#backoffMs = 0;
    const nowMs = performance.now();
    this.#deps.metrics.publishDuration.observe((nowMs - (entry.sentAtMs ?? nowMs)) / 1_000);
    this.#retained.ackUpTo(entry, nowMs);
    if (this.#retained.hasUnsent || !this.#packer.isEmpty) this.#pump();
  }

  /** One WAIT or WAITAOF for all entries sent before it; the next one for those that came meanwhile. */
  async #commitGroup(link: LaneLink, commit: GroupCommit): Promise<void> {
    const last = this.#retained.lastSent;
    if (this.#committing || link.dead || this.#retained.inFlight === 0 || last === undefined) return;
    this.#committing = true;
    try {
      const durable = await commit(link.connection);
      link.repliedAtMs = performance.now();
      if (link.dead) return;
      if (durable) this.#acknowledge(last);
      else
        this.#deps.log.warn(
          { durability: this.#deps.durability },
          "entries not as durable as promised yet: not answered",
        );
    } catch (cause) {
      link.fail(cause as Error);
    } finally {
      this.#committing = false;
    }
    if (!link.dead) void this.#commitGroup(link, commit);
  }

  /** The writer's life: connect, resume, work until the first error, again. */
  async #keepLinked(opened: () => void, refused: (reason: Error) => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const link = new LaneLink(this.#deps.connect());
      try {
        await linkReady(link, this.#closing.signal);
        await this.#resumeInTime(link);
        this.#setLink(link);
        opened();
        this.#pump();
        throw await link.failed;
      } catch (cause) {
        this.#setLink(undefined);
        if (!this.#closing.signal.aborted) this.#report(cause as Error, refused);
      } finally {
        link.fail(new Error("replaced"));
        link.connection.disconnect();
      }
      this.#backoffMs = Math.min(Math.max(this.#backoffMs * 2, 25), MAX_BACKOFF_MS);
      await sleep(this.#backoffMs * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(
        () => undefined,
      );
    }
  }

  /** A client without resend leaves the promises of a lost connection open for ever: so there is a limit, and a guard. */
  async #resumeInTime(link: LaneLink): Promise<void> {
    const timer = setTimeout(() => link.fail(new Error("no reply from Redis")), this.#limits.replyTimeoutMs);
    const failed = link.failed.then((reason) => Promise.reject(reason));
    await Promise.race([this.#resume(link), failed]).finally(() => clearTimeout(timer));
  }

  /** Brings what is held in line with what the lane has. Nothing else is in flight meanwhile. */
  async #resume(link: LaneLink): Promise<void> {
    const { connection } = link;
    this.#commit = await groupCommitFor(this.#deps.durability, connection);
    await registerLane(connection, this.#deps.nodeId, this.#lane);
    if (this.#retained.lastId === 0) return;

    const state = await readLaneState(connection, this.#lane.key, this.#retained.unknownIds());
    if (link.dead) return;
    const nowMs = performance.now();
    if (state === undefined && !this.#created) return this.#retained.resume(0, new Set(), nowMs);
    if (state === undefined || state.lastId > this.#retained.lastId) return this.#moveToNewLane(link, nowMs);
    this.#created = true;
    this.#reportGap("lane-rewound", this.#retained.gapAbove(state.lastId));
    this.#retained.resume(state.lastId, state.present, nowMs);
    // Something got through: this is a connection that breaks, not a Redis that is away.
    if (state.present.size > 0) this.#backoffMs = 0;
  }

  /**
   * Redis lost the lane, or its id is somebody else's: all that is held goes into a new one, the acknowledged tail too.
   * Whatever the intake had applied of it is the same by its business key.
   */
  async #moveToNewLane(link: LaneLink, nowMs: number): Promise<void> {
    const next = newLaneIdentity(this.#deps.nodeId);
    await registerLane(link.connection, this.#deps.nodeId, next);
    if (link.dead) return;
    this.#reportGap("lane-vanished", this.#retained.gapAbove(0));
    this.#lane = next;
    this.#created = false;
    this.#retained.restartInNewLane(nowMs);
  }

  #reportGap(reason: "lane-rewound" | "lane-vanished", gap: { fromId: number; toId: number } | undefined): void {
    if (gap === undefined) return;
    this.#deps.metrics.laneGaps.inc();
    this.#deps.log.error(
      { laneId: this.laneId, reason, ...gap },
      "Redis lost acknowledged entries that are not held any more",
    );
    this.appendEvent(null, { event: "gap", nodeId: this.#deps.nodeId, laneId: this.laneId, reason, ...gap });
  }

  #report(cause: Error, refused: (reason: Error) => void): void {
    this.#deps.metrics.publishErrors.inc();
    if (cause instanceof DurabilityRefused) {
      this.#deps.log.error({ reason: cause.message }, "durability refused");
      refused(cause);
    }
    if (!this.#away)
      this.#deps.log.error({ error: cause.message, waitingBytes: this.#retained.waitingBytes }, "lane away");
    else this.#deps.log.debug({ error: cause.message }, "lane still away");
    if (!this.#away) this.#deps.onAway?.();
    this.#away = true;
  }

  #setLink(link: LaneLink | undefined): void {
    this.#link = link;
    this.#deps.metrics.laneHealthy.set(link === undefined ? 0 : 1);
    if (link === undefined || !this.#away) return;
    this.#away = false;
    this.#deps.log.info({ laneId: this.laneId }, "lane back");
    this.#deps.onBack?.();
  }

  #tick(): void {
    const nowMs = performance.now();
    // Redis is away, or so slow that the bound in flight holds.
    if (this.#packer.isOlderThan(nowMs - TICK_MS)) this.#retained.push(this.#packer.take());
    this.#retained.giveUpWaiting(nowMs - this.#limits.waitingAgeMs);
    this.#retained.trim(nowMs);
    this.#deps.metrics.laneWaitingBytes.set(this.#retained.waitingBytes);
    const link = this.#link;
    const sentAtMs = this.#retained.oldestUnacked?.sentAtMs;
    if (link === undefined || sentAtMs === undefined) return;
    if (nowMs - Math.max(sentAtMs, link.repliedAtMs) > this.#limits.replyTimeoutMs)
      link.fail(new Error("no reply from Redis"));
  }

  async #renew(): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    await registerLane(link.connection, this.#deps.nodeId, this.#lane).catch((cause: unknown) =>
      link.fail(cause as Error),
    );
  }
}

/** Events of the node: no version, no epoch, no identity. */
const NODE_PREFIX = framePrefix("1.6", 0, "");
