// The writer of this process's lane: the one place where a frame becomes durable. Everything that arrives in one turn of
// the event loop becomes one entry; an entry's frames are told together when Redis acknowledges it. Its connection never
// repeats or queues a command. After any error it is thrown away, and the writer goes on from what the lane really holds.
// Its parts have files of their own: packing (entry-packer.ts), what is held (retained-entries.ts), the way to Redis
// (lane-links.ts), which lane it is (own-lane.ts), and what durable means (lane-durability.ts). What is left is long because
// appending, sending, acknowledging and resuming change the same state, and are only right together.

import { encodeLaneEvent, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { LEASE_MS } from "@dynamo-csms/proto/redis-keys";
import { FLAG_EVENT, framePrefix, type GivenAnswer } from "@dynamo-csms/proto/stream-entry";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import type { HistogramSeries } from "../tallied-histogram.ts";
import { AppendCommand, type Appended } from "./append-command.ts";
import { groupCommitFor, type AckDurability, type GroupCommit } from "./lane-durability.ts";
import { EntryBuffers } from "./entry-buffers.ts";
import { EntryPacker } from "./entry-packer.ts";
import { LANE_LIMITS, type LaneLimits } from "./lane-limits.ts";
import type { LaneLink } from "./lane-link.ts";
import { LaneLinks } from "./lane-links.ts";
import type { FindLaneRoute } from "./lane-route.ts";
import { FIRST_ENTRY, readLaneState } from "./lane-registration.ts";
import { OwnLane } from "./own-lane.ts";
import { RetainedEntries, type IdRange, type RetainedEntry, type Stored } from "./retained-entries.ts";

const TICK_MS = 1_000;
/**
 * Short of memory, Redis may refuse an entry and take the next. The refused one then moves behind it, and the number that it
 * leaves would look to the reader like a loss: the entry that explains it comes first, and for a while each entry waits for
 * the one before, so that none overtakes it.
 */
const ONE_BY_ONE_MS = 60_000;

export interface LaneWriterDeps {
  nodeId: string;
  findRoute: FindLaneRoute;
  /** Where all lanes are registered: a connection for short commands. */
  registry: RedisConnection;
  durability: AckDurability;
  /** How many replicas "replica" means. */
  replicas: number;
  /** Monotonic. */
  nowMs(): number;
  metrics: Pick<
    GatewayMetrics,
    "laneHealthy" | "publishDuration" | "publishErrors" | "laneGaps" | "laneWaitingBytes" | "faults"
  >;
  log: Logger;
  limits?: Partial<LaneLimits>;
  onAway?(): void;
  onBack?(): void;
  /** The lane's lease ran out, or the lane was lost: others may have taken this node for dead, and its connections for closed. */
  onTakenForDead?(): void;
}

/** A writer that is not open yet: nothing is connected. */
export const createLaneWriter = (deps: LaneWriterDeps): LaneWriter => new LaneWriter(deps);

/** The writer of one process: one lane at a time, one connection at a time. */
export class LaneWriter {
  readonly #deps: LaneWriterDeps;
  readonly #limits: LaneLimits;
  readonly #retained: RetainedEntries;
  readonly #packer: EntryPacker;
  readonly #publishDuration: HistogramSeries;
  #flushDue = false;
  readonly #lane: OwnLane;
  readonly #links: LaneLinks;
  #commit: GroupCommit | undefined;
  #sealed = false;
  #eventSeq = 0;
  #oneByOneUntilMs = 0;
  /** Monotonic ms: at this time the lane's server was surely the one that takes its writes. */
  #provenAtMs = Number.NEGATIVE_INFINITY;
  #timers: NodeJS.Timeout[] = [];

  constructor(deps: LaneWriterDeps) {
    this.#deps = deps;
    this.#limits = { ...LANE_LIMITS, ...deps.limits };
    const onFault = (error: unknown) => {
      deps.metrics.faults.inc({ where: "stored" });
      deps.log.error({ error }, "fault while a stored frame was answered");
    };
    const buffers = new EntryBuffers();
    this.#retained = new RetainedEntries(this.#limits, onFault, ({ sent, bytes }) =>
      sent === 1 ? buffers.giveBack(bytes) : buffers.letGo(bytes),
    );
    this.#packer = new EntryPacker(this.#limits, deps.nowMs, buffers);
    this.#publishDuration = deps.metrics.publishDuration.series({});
    const { nodeId, registry, nowMs, metrics, log, onAway, onBack } = deps;
    this.#lane = new OwnLane({ nodeId, registry, nowMs, leaseLapsed: () => deps.onTakenForDead?.() });
    this.#links = new LaneLinks({
      connect: () => deps.findRoute(this.#lane.begun ? this.#lane.key : undefined),
      resume: (link) => this.#resume(link),
      linked: () => this.#pump(),
      replyTimeoutMs: this.#limits.replyTimeoutMs,
      nowMs,
      facts: () => ({ laneId: this.laneId, waitingBytes: this.#retained.waitingBytes }),
      metrics,
      log,
      onAway,
      onBack,
    });
  }

  /** Changes when Redis lost the lane and a new one took its place. */
  get laneId(): string {
    return this.#lane.laneId;
  }

  /**
   * True while entries get through: part of readiness. A server that answers and cannot make them as durable as promised
   * (too few replicas) is as good as none.
   */
  get healthy(): boolean {
    if (this.#links.current === undefined) return false;
    const sentAtMs = this.#retained.oldestUnacked?.sentAtMs;
    return sentAtMs === undefined || this.#deps.nowMs() - sentAtMs <= this.#limits.replyTimeoutMs;
  }

  /**
   * Registers the lane; resolves when it can be written, after waiting for an absent Redis. Rejects with
   * DurabilityRefused when the server cannot keep the configured promise.
   */
  async open(): Promise<void> {
    this.#timers = [setInterval(() => this.#tick(), TICK_MS), setInterval(() => void this.#renew(), LEASE_MS / 3)];
    await new Promise<void>((resolve, reject) => void this.#links.run(resolve, reject));
  }

  /**
   * Appends a frame. `done` is told once: true when it is durable, in the order of the appends of this writer; false when
   * it waited for too long or too much waits already (then it may or may not be stored: never answer it).
   * @param flags FLAG_OUTBOUND, FLAG_FLAGGED @param text UTF-8; it and the answer are kept until they are durable, so not to be reused
   */
  append(
    prefix: Buffer,
    flags: number,
    seq: number,
    atMs: number,
    text: Uint8Array,
    answer: GivenAnswer | undefined,
    done: Stored,
  ): void {
    this.#append(prefix, flags, seq, atMs, text, answer, done, this.#limits.waitingBytes);
  }

  /**
   * Lays a frame of this time out where `appendStaged` would have it stand, so that it is copied once and looked at there: in
   * `stagedBytes`, with a 0 byte behind it. Nothing is appended by it; whatever else is appended takes its place.
   * @returns its place; -1: nothing can be taken now
   */
  stage(prefix: Buffer, atMs: number, text: Uint8Array): number {
    const waiting = this.#retained.waitingBytes + this.#packer.bytes;
    if (this.#sealed || waiting + text.length > this.#limits.waitingBytes) return -1;
    if (!this.#packer.fits(atMs)) this.#retained.push(this.#packer.take());
    return this.#packer.stage(prefix.length, text);
  }

  /** Where `stage` laid the frame out. Another buffer each time. */
  get stagedBytes(): Uint8Array {
    return this.#packer.bytesSoFar;
  }

  /** Whether a frame that is appended next is told of together with the last one, if both have this `done`. */
  tellsLast(done: Stored): boolean {
    return this.#packer.tellsLast(done);
  }

  /** Appends the frame that was staged last, as `append` does. @param done one of an earlier frame only where `tellsLast` says so */
  appendStaged(prefix: Buffer, seq: number, atMs: number, length: number, done: Stored): void {
    this.#packer.addStaged(prefix, seq, atMs, length, done);
    this.#appended();
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
    for (const timer of this.#timers) clearInterval(timer);
    this.#links.close();
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
    answer: GivenAnswer | undefined,
    done: Stored,
    maxWaiting: number,
  ): void {
    const waiting = this.#retained.waitingBytes + this.#packer.bytes;
    if (this.#sealed || waiting + text.length > maxWaiting) return done(false, NO_ENTRY);
    if (!this.#packer.fits(atMs)) this.#retained.push(this.#packer.take());
    this.#packer.add(prefix, flags, seq, atMs, text, answer, done);
    this.#appended();
  }

  #appended(): void {
    if (this.#packer.isFull) this.#retained.push(this.#packer.take());
    if (this.#flushDue) return;
    this.#flushDue = true;
    // Once a turn of the event loop: whatever else arrives in it joins the entry.
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushDue = false;
    this.#pump();
  };

  /** Sends as much as may be on the way at a time. The rest goes on packing, so entries grow with the load. */
  #pump(): void {
    const link = this.#links.current;
    if (link === undefined) return;
    const inFlight = this.#deps.nowMs() < this.#oneByOneUntilMs ? 1 : this.#limits.inFlight;
    while (!link.dead && this.#retained.inFlight < inFlight) {
      if (!this.#retained.hasUnsent && !this.#packer.isEmpty) this.#retained.push(this.#packer.take());
      const entry = this.#retained.takeUnsent(this.#deps.nowMs());
      if (entry === undefined) break;
      this.#send(link, entry);
    }
    if (this.#commit !== undefined) void this.#commitGroup(link, this.#commit);
  }

  #send(link: LaneLink, entry: RetainedEntry): void {
    const appended: Appended = {
      replied: (hasLane) => {
        // After one failed, a later success must not acknowledge it: what got through is read from the lane.
        if (link.dead) return;
        link.repliedAtMs = this.#deps.nowMs();
        if (!hasLane) return link.fail(new Error("the lane is gone"));
        this.#provenAtMs = entry.sentAtMs ?? this.#provenAtMs;
        if (this.#commit === undefined) this.#acknowledge(entry);
      },
      failed: (error) => {
        if (error.message.startsWith("OOM")) this.#oneByOneUntilMs = this.#deps.nowMs() + ONE_BY_ONE_MS;
        link.fail(error);
      },
    };
    void link.connection.sendCommand(new AppendCommand(this.#lane.key, entry.id, entry.bytes, appended));
  }

  #acknowledge(entry: RetainedEntry): void {
    this.#links.progressed();
    const nowMs = this.#deps.nowMs();
    this.#publishDuration.observe((nowMs - (entry.sentAtMs ?? nowMs)) / 1_000);
    this.#retained.ackUpTo(entry, nowMs);
    if (this.#retained.hasLongTail) this.#retained.trim(this.#provenAtMs);
    if (this.#retained.hasUnsent || !this.#packer.isEmpty) this.#pump();
  }

  /** One WAIT or WAITAOF for all entries sent before it; the next one for those that came meanwhile. */
  async #commitGroup(link: LaneLink, commit: GroupCommit): Promise<void> {
    const last = this.#retained.lastSent;
    if (link.committing || link.dead || this.#retained.inFlight === 0 || last === undefined) return;
    link.committing = true;
    try {
      const durable = await commit(link.connection);
      link.repliedAtMs = this.#deps.nowMs();
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
      link.committing = false;
    }
    if (!link.dead) void this.#commitGroup(link, commit);
  }

  /** Brings what is held in line with what the lane has. Nothing else is in flight meanwhile. */
  async #resume(link: LaneLink): Promise<void> {
    const { connection } = link;
    this.#commit = await groupCommitFor(this.#deps.durability, this.#deps.replicas, connection);
    if (!this.#lane.begun) return this.#lane.begin(link, ++this.#eventSeq);

    const state = await readLaneState(connection, this.#lane.key, this.#retained.unknownIds());
    if (link.dead) return;
    if (state === undefined || state.lastId > this.#retained.lastId) return this.#moveToNewLane(link);
    // After the reading: what WAIT and WAITAOF promise of this connection's last write holds for all that was read, too.
    await this.#lane.renew(link);
    if (link.dead) return;
    this.#reportGap("lane-rewound", this.#retained.gapAbove(state.lastId));
    this.#retained.resume(state.lastId, state.present, this.#deps.nowMs(), this.#commit === undefined, (skipped) =>
      this.#skippedEntry(skipped),
    );
    // Something got through: this is a connection that breaks, not a Redis that is away.
    if (state.present.size > 0) this.#links.progressed();
  }

  /**
   * Redis lost the lane, or its id is somebody else's: all that is held goes into a new one, the acknowledged tail too.
   * Whatever the intake had applied of it is the same by its business key.
   */
  async #moveToNewLane(link: LaneLink): Promise<void> {
    const gap = this.#retained.gapAbove(FIRST_ENTRY);
    const formerId = this.laneId;
    await this.#lane.begin(link, ++this.#eventSeq);
    if (link.dead) return;
    this.#retained.restartInNewLane(this.#deps.nowMs());
    this.#reportGap("lane-vanished", gap, formerId);
    this.#deps.onTakenForDead?.();
  }

  #reportGap(
    reason: "lane-rewound" | "lane-vanished",
    gap: { fromId: number; toId: number } | undefined,
    laneId = this.laneId,
  ): void {
    if (gap === undefined) return;
    this.#deps.metrics.laneGaps.inc();
    this.#deps.log.error({ laneId, reason, ...gap }, "Redis lost acknowledged entries that are not held any more");
    this.appendEvent(null, { event: "gap", nodeId: this.#deps.nodeId, laneId, reason, ...gap });
  }

  /** Tells the reader that these ids stand for nothing: what had them comes under others. */
  #skippedEntry(ranges: IdRange[]): RetainedEntry {
    const { laneId } = this;
    const event: LaneEvent = { event: "skipped", nodeId: this.#deps.nodeId, laneId, ranges };
    const packer = new EntryPacker(this.#limits, this.#deps.nowMs);
    const text = Buffer.from(encodeLaneEvent(event), "utf8");
    packer.add(NODE_PREFIX, FLAG_EVENT, ++this.#eventSeq, Date.now(), text, undefined, () => {});
    return packer.take();
  }

  #tick(): void {
    const nowMs = this.#deps.nowMs();
    // Redis is away, or so slow that the bound in flight holds.
    if (this.#packer.isOlderThan(nowMs - TICK_MS)) this.#retained.push(this.#packer.take());
    this.#retained.giveUpWaiting(nowMs - this.#limits.waitingAgeMs);
    this.#retained.trim(this.#provenAtMs);
    this.#deps.metrics.laneWaitingBytes.set(this.#retained.waitingBytes);
    this.#deps.metrics.laneHealthy.set(this.healthy ? 1 : 0);
    const link = this.#links.current;
    const sentAtMs = this.#retained.oldestUnacked?.sentAtMs;
    if (link === undefined || sentAtMs === undefined) return;
    if (nowMs - Math.max(sentAtMs, link.repliedAtMs) > this.#limits.replyTimeoutMs)
      link.fail(new Error("no reply from Redis"));
  }

  async #renew(): Promise<void> {
    const link = this.#links.current;
    if (link === undefined) return;
    const { nowMs } = this.#deps;
    // With nothing in flight it is this alone that notices a server which stands still, or is not the lane's any more.
    const timer = setTimeout(() => {
      if (nowMs() - link.repliedAtMs >= this.#limits.replyTimeoutMs) link.fail(new Error("no reply from Redis"));
    }, this.#limits.replyTimeoutMs);
    try {
      const askedAtMs = await this.#lane.renew(link);
      if (link.dead) return;
      link.repliedAtMs = nowMs();
      this.#provenAtMs = Math.max(this.#provenAtMs, askedAtMs);
    } catch (cause) {
      link.fail(cause as Error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What was not taken stands in no entry. */
const NO_ENTRY = Buffer.alloc(0);

/** Events of the node: no version, no epoch, no identity. */
const NODE_PREFIX = framePrefix("1.6", 0, "");
