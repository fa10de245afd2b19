import type { CommandMessage, CommandOutcome, CommandReport } from "@dynamo-csms/proto/command-message";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { pause } from "../jobs/pause.ts";
import type { NodeChannel } from "./node-channel.ts";
import { openInbox, type ReportInbox } from "./report-inbox.ts";
import type { Holder, Owner } from "./resolve-owner.ts";

/** How long each party may be silent. Tests shorten them. */
export interface DeliveryTiming {
  /** A gateway acknowledges receipt within this; else the command is published to it again (it knows ids it has seen). */
  receiptMs: number;
  /** How often the owner and the row are looked at while the station works. */
  watchMs: number;
  /** After the owner changed: how long the former gateway's word may still be on its way. */
  movedGraceMs: number;
  /** How long a gateway that lives but does not listen is waited for: its subscription comes back with its Redis connection. */
  deafMs: number;
}

export const DELIVERY_TIMING: DeliveryTiming = { receiptMs: 2_000, watchMs: 1_000, movedGraceMs: 1_500, deafMs: 2_000 };

/** A node whose lease is gone may just have lost it with a Redis that restarted: leases are renewed every 3.3 s. */
const LEASE_GRACE_MS = 5_000;
const RETRY_MS = 250;
/** Most commands are answered within it: their rows need not say in between that they were sent. */
const NOTE_SENT_AFTER_MS = 100;

export interface DeliveryDeps {
  channel: Pick<NodeChannel, "publish" | "onReports">;
  /** Who holds the socket now. Throws when Redis is away. */
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  /**
   * Writes down where the command goes next: before it is published, so that a crash cannot hide that it was.
   * @returns false when the row is not where this process left it: it goes nowhere then.
   */
  recordTarget(owner: Holder): Promise<boolean>;
  /** Not called for a command that is answered at once: its outcome says when it was sent. */
  recordSent(sentAt: Date): Promise<void>;
  /** Whether the row has its final state already, or waits again: the lane was faster, or reports were lost. */
  isOver(): Promise<boolean>;
  timing: DeliveryTiming;
  /** Aborted when this process stops: the lane or the sweep of deadlines finishes the command. */
  signal: AbortSignal;
}

/** "elsewhere": the row got its final state (or waits again) by other means, or this process stops. */
export type DeliveryResult = CommandOutcome | "elsewhere";

/** What became of a command at one owner. */
type Followed =
  | { kind: "outcome"; outcome: CommandOutcome }
  | { kind: "notHere" | "silent" | "moved" | "expired" | "elsewhere" };

const notConnected = (reason: string): CommandOutcome => ({ state: "not_connected", reason });
const unknown = (reason: string): CommandOutcome => ({ state: "unknown", reason });
const MOVED = "the connection changed while the command was on its way";

/**
 * Takes a command to the gateway that holds the station and follows it to its end (design "Commands"). It goes on to
 * another owner only while it surely was not sent; once a gateway may have it, a change of owner means `unknown`.
 * @param owner where recordTarget has put it already. @param finalBy Unix ms; past it nothing more can come.
 */
export async function deliverCommand(
  command: Omit<CommandMessage, "epoch">,
  owner: Holder,
  finalBy: number,
  deps: DeliveryDeps,
): Promise<DeliveryResult> {
  const inbox = openInbox(deps.channel, command.commandId);
  try {
    let target: Holder = owner;
    /** Since when the current target says "not here", or listens to nothing. */
    let refusedSinceMs: number | undefined;
    /** The current target may have taken it: it was published there, and no answer said otherwise. */
    let mayBeThere = false;
    /** It was published there before, and what became of that is not known: words on both are on their way. */
    let again = false;
    while (!deps.signal.aborted) {
      if (Date.now() >= command.deadlineAtMs && !mayBeThere) return notConnected("no gateway took the command in time");
      const receivers = await publish(command, target, deps);
      let followed: Followed = { kind: "notHere" };
      if (receivers !== 0) {
        mayBeThere = true;
        followed = await follow(inbox, { target, again, finalBy, identity: command.identity }, deps);
      } else if (mayBeThere) {
        return unknown(`the gateway node ${target.nodeId} ended while it may have had the command`);
      }
      switch (followed.kind) {
        case "outcome":
          return followed.outcome;
        case "elsewhere":
          return "elsewhere";
        case "moved":
          return unknown(MOVED);
        case "expired":
          return unknown("no word from the gateway by the deadline");
        case "silent":
          again = true;
          continue;
        case "notHere": {
          mayBeThere = again = false;
          refusedSinceMs ??= Date.now();
          const next = await deps.resolveOwner(command.identity).catch(() => ({ ...target, alive: true }));
          if (next === undefined) return notConnected("the charge point is not connected");
          if (next.epoch !== target.epoch) {
            if (!(await deps.recordTarget(next))) return "elsewhere";
            target = next;
            refusedSinceMs = undefined;
            continue;
          }
          if (!next.alive || Date.now() - refusedSinceMs >= deps.timing.deafMs)
            return notConnected("the gateway that held the charge point last does not have it any more");
          await pause(RETRY_MS, deps.signal);
        }
      }
    }
    return "elsewhere";
  } finally {
    inbox.close();
  }
}

/** @returns the number of listeners; 1 where Redis did not say: the command may have reached one. */
async function publish(command: Omit<CommandMessage, "epoch">, target: Holder, deps: DeliveryDeps): Promise<number> {
  const validForMs = Math.max(0, command.deadlineAtMs - Date.now());
  return deps.channel.publish(target.nodeId, { ...command, epoch: target.epoch, validForMs }).catch(() => 1);
}

/** What readReports says, with the word on the sending in the row when it ends without an outcome that says it too. */
async function follow(inbox: ReportInbox, at: Publication, deps: DeliveryDeps): Promise<Followed> {
  const sending = new Sending(deps);
  const followed = await readReports(inbox, at, sending, deps);
  if (followed.kind !== "outcome") await sending.note();
  return followed;
}

/** When the gateway sent the command, and whether its row has to say so. */
class Sending {
  readonly #deps: Pick<DeliveryDeps, "recordSent">;
  #sentAt: Date | undefined;
  /** Unix ms. */
  noteAt = Infinity;

  constructor(deps: Pick<DeliveryDeps, "recordSent">) {
    this.#deps = deps;
  }

  heard(sentAtMs: number): void {
    this.#sentAt = new Date(sentAtMs);
    this.noteAt = Date.now() + NOTE_SENT_AFTER_MS;
  }

  async note(): Promise<void> {
    const sentAt = this.#sentAt;
    this.#sentAt = undefined;
    this.noteAt = Infinity;
    if (sentAt !== undefined) await this.#deps.recordSent(sentAt);
  }
}

interface Publication {
  target: Holder;
  again: boolean;
  finalBy: number;
  identity: StationIdentity;
}

/**
 * Reads reports until the command ends, its owner changes, or the gateway has not even acknowledged it in time. "Not here"
 * is believed when nothing else can be on its way: the word on an earlier publication may be overtaken by the receipt of a later one.
 */
async function readReports(
  inbox: ReportInbox,
  { target, again, finalBy, identity }: Publication,
  sending: Sending,
  deps: DeliveryDeps,
): Promise<Followed> {
  const { timing, signal } = deps;
  const receiptBy = Date.now() + timing.receiptMs;
  let received = false;
  let refused = false;
  let watchAt = Date.now() + timing.watchMs;
  const lost = new LostOwner(timing);
  while (!signal.aborted) {
    const conclusive = refused && !received && !again;
    const until = conclusive ? 0 : Math.min(watchAt, finalBy, sending.noteAt, received ? Infinity : receiptBy);
    const report = await inbox.next(until - Date.now(), signal);
    if (report?.kind === "outcome") return { kind: "outcome", outcome: report.outcome };
    if (report?.kind === "sent") sending.heard(report.sentAtMs);
    if (report !== undefined) {
      if (!isFrom(report, target)) continue;
      if (report.kind === "notHere") refused = true;
      else received = true;
      continue;
    }
    if (conclusive) return { kind: "notHere" };
    const now = Date.now();
    if (now >= sending.noteAt) await sending.note();
    if (now >= watchAt) {
      watchAt = now + timing.watchMs;
      if (await deps.isOver()) return { kind: "elsewhere" };
      // Redis away: nothing is known about the owner, and the gateway may be working all the same.
      const current = await deps.resolveOwner(identity).catch(() => ({ ...target, alive: true }));
      if (lost.isLost(current, target, now)) return { kind: "moved" };
    }
    if (now >= finalBy) return { kind: "expired" };
    if (refused && !received && now >= receiptBy) return { kind: "notHere" };
    if (!received && now >= receiptBy) return lost.suspected ? { kind: "moved" } : { kind: "silent" };
  }
  return { kind: "elsewhere" };
}

const isFrom = (report: CommandReport, target: Holder) =>
  report.nodeId === target.nodeId && report.epoch === target.epoch;

/** Whether the connection that the command went to is gone, after a grace in which the gateway's last word may still come. */
class LostOwner {
  #sinceMs: number | undefined;
  readonly #timing: DeliveryTiming;

  constructor(timing: DeliveryTiming) {
    this.#timing = timing;
  }

  /** It looked gone the last time: publishing to it again would be of no use. */
  get suspected(): boolean {
    return this.#sinceMs !== undefined;
  }

  isLost(current: Owner | undefined, target: Holder, nowMs: number): boolean {
    const changed = current === undefined || current.epoch !== target.epoch;
    if (!changed && current.alive) {
      this.#sinceMs = undefined;
      return false;
    }
    this.#sinceMs ??= nowMs;
    return nowMs - this.#sinceMs >= (changed ? this.#timing.movedGraceMs : LEASE_GRACE_MS);
  }
}
