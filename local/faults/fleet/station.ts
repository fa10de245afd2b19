import type { StationCredentials } from "../contract.ts";
import { CommandDesk } from "./command-desk.ts";
import type { FleetProcessContext } from "./fleet-process-context.ts";
import { fitsAction } from "./fits-action.ts";
import { Outbox, type Message, type Outgoing } from "./outbox.ts";
import { seededRandom } from "./random.ts";
import { StationLink } from "./station-link.ts";
import { Story16 } from "./story-1.6.ts";
import { Story2x } from "./story-2.x.ts";
import type { Story, Teller } from "./story.ts";

interface StationDeps extends FleetProcessContext {
  credentials: StationCredentials;
  /** Among all stations of the fleet. */
  index: number;
  seed: number;
}

const REBOOT_MS = 2_000;

/**
 * A simulated station: boots, tells whole transactions, answers commands, connects again, and writes down what it said and
 * heard. Every message has a business key, alike for each of its repetitions; times in it are texts as in the payload, never
 * the same twice for a station:
 *
 * - `boot`, `heartbeat`, `authorize:{n}`, `notify:{n}`
 * - `status:{evse}:{connector}:{status}:{timestamp}`; 1.6 has no EVSEs: 0
 * - 1.6: `start:{connector}:{timestamp}`, `meter:{key of the start}:{timestamp}:{sampled values}`, `stop:{key of the start}:{timestamp}`
 * - 2.x: `event:{transactionId}:{seqNo}:{eventType}:{timestamp}:{sampled values}`
 * - what TriggerMessage asked for and nothing above tells: `triggered:MeterValues:{evse or connector}:{timestamp}:{sampled values}`,
 *   `triggered:{action}:{n}`
 *
 * Facts of an answer: StartTransaction {transactionId, status}, BootNotification {status, interval}, Authorize {status},
 * TransactionEvent {status} where it has an idTokenInfo, else {}; and `misfit: true` when it cannot be the answer to its CALL.
 *
 * Repetitions of a message have the same message id with stations of even index, and a new one each time with the others.
 */
export class Station {
  readonly link: StationLink;
  readonly #deps: StationDeps;
  readonly #outbox = new Outbox();
  readonly #story: Story;
  readonly #desk: CommandDesk;
  readonly #random: () => number;
  #registration: "none" | "accepted" | "refused" = "none";
  #bootReason: "PowerUp" | "RemoteReset" = "PowerUp";
  #openSinceMs = 0;
  #lostAtMs = 0;
  #lastTimestampMs = 0;
  #counter = 0;
  #isSilent = false;

  constructor(deps: StationDeps) {
    this.#deps = deps;
    this.#random = seededRandom(deps.seed + deps.index);
    this.link = new StationLink({ ...deps, random: this.#random, owner: this.#linkOwner() });
    this.#story = deps.credentials.version === "1.6" ? new Story16(this.#teller()) : new Story2x(this.#teller());
    this.#desk = new CommandDesk({
      ...deps,
      link: this.link,
      story: this.#story,
      random: this.#random,
      reboot: (type) => this.#reboot(type),
    });
  }

  /** CALLs that wait to be sent or answered; a station that has not booted has its boot to say. */
  get waiting(): number {
    return this.#outbox.size + (this.#registration === "accepted" || this.#outbox.size > 0 ? 0 : 1);
  }

  get isSettled(): boolean {
    return this.link.isOpen && this.waiting === 0;
  }

  /** Whether it has time for the next thing of its story. */
  get isFree(): boolean {
    if (this.#registration !== "accepted") return false;
    if (this.link.isOpen) return this.#outbox.size === 0 && !this.#isSilent;
    return this.#outbox.size < this.#deps.settings.offlineQueue;
  }

  /** Tells the next thing of its story. */
  tell(): void {
    this.#story.tell();
  }

  /** To be called now and then: an answer that is overdue ends the connection. */
  check(nowMs: number): void {
    const { open } = this.#outbox;
    if (open === undefined || this.#isSilent || nowMs - this.#openSinceMs < this.#deps.settings.answerTimeoutMs) return;
    this.link.reconnect("unanswered");
  }

  /** Reads nothing any more, and says nothing; or does again. */
  silence(silent: boolean): void {
    if (silent === this.#isSilent) return;
    this.#isSilent = silent;
    this.link.read(!silent);
    this.#openSinceMs = this.#deps.nowMs();
    this.#sendNext();
  }

  #linkOwner() {
    return {
      opened: () => {
        const { nowMs } = this.#deps;
        if (this.#registration === "accepted") this.#story.reconnected(nowMs() - this.#lostAtMs);
        else this.#say(this.#story.boot(this.#bootReason));
        this.#sendNext();
      },
      received: (text: string) => this.#receive(text),
      lost: () => {
        const { ledger, credentials, nowMs } = this.#deps;
        this.#lostAtMs = nowMs();
        for (const { message, messageId, firstSentAtMs } of this.#outbox.disconnected()) {
          if (firstSentAtMs > 0) ledger.add(["dropped", this.#lostAtMs, credentials.identity, messageId]);
          message.givenUp?.();
        }
      },
    };
  }

  #teller(): Teller {
    const { settings, credentials, idTag } = this.#deps;
    return {
      settings,
      idTag,
      identity: credentials.identity,
      say: (message) => this.#say(message),
      isConnected: () => this.link.isOpen,
      transactionMessages: () => this.#outbox.transactionMessages,
      timestamp: () => this.#timestamp(),
      random: this.#random,
      nextNumber: () => (this.#counter += 1),
    };
  }

  #timestamp(): string {
    this.#lastTimestampMs = Math.max(Math.floor(this.#deps.nowMs()), this.#lastTimestampMs + 1);
    return new Date(this.#lastTimestampMs).toISOString();
  }

  #say(message: Message): void {
    this.#outbox.add(message, this.#deps.newMessageId());
    this.#sendNext();
  }

  #sendNext(): void {
    const { ledger, credentials, tally, nowMs, newMessageId, index } = this.#deps;
    if (!this.link.isOpen || this.#isSilent || this.#outbox.open !== undefined) return;
    const now = nowMs();
    const outgoing = this.#outbox.next(now, this.#registration === "accepted", (moot) =>
      ledger.add(["dropped", now, credentials.identity, moot.messageId]),
    );
    if (outgoing === undefined) return;
    const { message } = outgoing;
    if (outgoing.firstSentAtMs === 0) outgoing.firstSentAtMs = now;
    else if (index % 2 === 1) outgoing.messageId = newMessageId();
    this.#outbox.open = outgoing;
    this.#openSinceMs = now;
    tally.sent += 1;
    ledger.add([
      "sent",
      now,
      credentials.identity,
      this.link.connection,
      outgoing.messageId,
      message.action,
      message.key,
    ]);
    this.link.send(`[2,"${outgoing.messageId}","${message.action}",${JSON.stringify(message.payload())}]`);
  }

  #receive(text: string): void {
    const { ledger, credentials, nowMs } = this.#deps;
    const [type, messageId, third, fourth] = partsOf(text);
    if (type === 2) return this.#desk.take(messageId, String(third), (fourth ?? {}) as Record<string, unknown>);
    const { open } = this.#outbox;
    if (open === undefined || open.messageId !== messageId) {
      ledger.add(["stray", nowMs(), credentials.identity, this.link.connection, messageId]);
      return;
    }
    if (type === 3) this.#answered(open, third as Record<string, unknown>);
    else this.#failed(open, String(third));
    this.#sendNext();
  }

  #answered(open: Outgoing, answer: Record<string, unknown>): void {
    const { ledger, credentials, tally, nowMs } = this.#deps;
    const { action } = open.message;
    const now = nowMs();
    tally.acknowledged += 1;
    tally.answerMs.add(now - open.firstSentAtMs);
    const fits = fitsAction(credentials.version, action, answer);
    const facts = action === "BootNotification" ? bootFacts(answer) : (open.message.answered?.(answer) ?? {});
    ledger.add([
      "answered",
      now,
      credentials.identity,
      this.link.connection,
      open.messageId,
      fits ? facts : { ...facts, misfit: true },
    ]);
    this.#outbox.settle(open);
    if (action === "BootNotification") this.#registered(answer);
  }

  #failed(open: Outgoing, code: string): void {
    const { ledger, credentials, tally, settings, wheel, nowMs } = this.#deps;
    const now = nowMs();
    tally.errors += 1;
    ledger.add(["failed", now, credentials.identity, this.link.connection, open.messageId, code]);
    open.refusals += 1;
    // 1.6 §3.7.1, 2.x E13: tried a few times, each time after a longer wait; then it is lost.
    if (open.message.transactional && open.refusals < settings.transactionMessageAttempts) {
      const waitMs = settings.transactionMessageRetryIntervalMs * open.refusals;
      this.#outbox.open = undefined;
      this.#outbox.holdTransactions(now + waitMs);
      wheel.after(waitMs, () => this.#sendNext());
      return;
    }
    this.#outbox.settle(open);
    if (open.message.transactional) ledger.add(["dropped", now, credentials.identity, open.messageId]);
    open.message.givenUp?.();
    if (open.message.action === "BootNotification") this.#bootAgainIn(settings.bootRetryMs);
  }

  #registered({ status, interval }: Record<string, unknown>): void {
    const { settings } = this.#deps;
    const wasAccepted = this.#registration === "accepted";
    this.#registration = status === "Accepted" ? "accepted" : "refused";
    if (status !== "Accepted") this.#bootAgainIn((Number(interval) || 0) * 1_000 || settings.bootRetryMs);
    else if (!wasAccepted) this.#story.booted();
  }

  /** 1.6 §4.2, 2.x B02, B03: not before the interval is over. */
  #bootAgainIn(ms: number): void {
    const { connection } = this.link;
    this.#deps.wheel.after(ms, () => {
      if (this.#registration !== "accepted" && this.link.isOpen && this.link.connection === connection)
        this.#say(this.#story.boot(this.#bootReason));
    });
  }

  #reboot(type: string): void {
    this.#story.rebooting(type);
    this.#registration = "none";
    this.#bootReason = "RemoteReset";
    this.link.drop("reboot");
    this.link.connectIn(REBOOT_MS);
  }
}

/** What is no frame is a stray answer: a CSMS never sends it. */
function partsOf(text: string): [type: number, messageId: string, third: unknown, fourth: unknown] {
  try {
    const parts: unknown = JSON.parse(text);
    if (Array.isArray(parts) && parts.length >= 3 && typeof parts[1] === "string" && [2, 3, 4].includes(parts[0]))
      return parts as [number, string, unknown, unknown];
  } catch {
    // As what is none.
  }
  return [3, "no frame", undefined, undefined];
}

const bootFacts = ({ status, interval }: Record<string, unknown>) => ({ status, interval });
