import type { Session } from "../sockets/session.ts";
import { MinuteBudget } from "./minute-budget.ts";
import { type BucketLimits, TokenBucket } from "./token-bucket.ts";
import type { WaitingBytes } from "./waiting-bytes.ts";

/** A CALL of the station, read and numbered, waiting for its turn. */
export interface ReceivedCall {
  messageId: string;
  action: string;
  payload: unknown;
  /** The frame as it came. */
  text: string;
  bytes: Uint8Array;
  seq: number;
  receivedAtMs: number;
  /** Monotonic. */
  startedAtMs: number;
}

/** What no station does by accident again and again: past it the connection is closed. */
const BROKEN_FRAMES_PER_MINUTE = 20;

/**
 * What one connection may cost. A CALL costs one token and one more per CALL_TOKEN_BYTES; past the rate it waits for its turn,
 * unanswered, and so does the station: nothing is dropped that it would not say again. A night offline comes back at once,
 * a week at this pace.
 */
export const callRate = (perSecond: number): BucketLimits => ({ perSecond, burst: perSecond * 10 });
const DEFAULT_CALL_RATE = callRate(100);
export const CALL_TOKEN_BYTES = 16 * 1024;
/** More for one that is refused: no station has a reason to send many (F13). */
const REFUSAL_COST = 1;
/** A SEND tells many values at once, and nobody waits for it: past the rate it is dropped. */
const SEND_RATE: BucketLimits = { burst: 200, perSecond: 50 };

/** What becomes of the CALL in turn: stored already (`done` comes later), or the turn stays with it until `nextTurn`. */
export type TakeTurn = (call: ReceivedCall) => "stored" | "holds-turn";

export interface ConversationDeps {
  /** Counts the CALLs of all connections that the lane does not have yet. */
  waiting: WaitingBytes;
  callRate?: BucketLimits;
  monotonicMs(): number;
  after(ms: number, run: () => void): void;
}

/**
 * A station that does not wait for answers (F2 forbids it) is borne with up to here; then it is let go, because we
 * cannot stop reading from it and may not grow without bound.
 */
export const MAX_WAITING_CALLS = 16;

/**
 * The order of one connection's CALLs: they are answered as they came. The lane keeps the order of what is appended to
 * it; so only a CALL that is answered from elsewhere (a decision, a refusal) must hold those behind it up.
 */
export class Conversation {
  readonly brokenFrames = new MinuteBudget(BROKEN_FRAMES_PER_MINUTE);
  /** SENDs appended and not yet durable. */
  waitingSends = 0;
  readonly sends: TokenBucket;
  readonly #session: Session;
  readonly #takeTurn: TakeTurn;
  readonly #deps: ConversationDeps;
  readonly #calls: TokenBucket;
  /** The next CALL waits for its token. */
  #paused = false;
  #queue: ReceivedCall[] = [];
  #held = false;
  /** Bytes of the CALL in turn. */
  #heldBytes = 0;
  /** CALLs in the lane without acknowledgement. */
  #inLane = 0;
  #whenLaneEmpty: (() => void) | undefined;

  constructor(session: Session, takeTurn: TakeTurn, deps: ConversationDeps) {
    this.#session = session;
    this.#takeTurn = takeTurn;
    this.#deps = deps;
    const nowMs = deps.monotonicMs();
    this.#calls = new TokenBucket(deps.callRate ?? DEFAULT_CALL_RATE, nowMs);
    this.sends = new TokenBucket(SEND_RATE, nowMs);
  }

  /** Takes a CALL in, unless too many of this connection wait already, or too much of all. */
  receive(call: ReceivedCall): "taken" | "too-many" | "no-room" {
    if (this.#session.waitingFrames >= MAX_WAITING_CALLS) return "too-many";
    if (!this.#deps.waiting.take(call.bytes.length)) return "no-room";
    this.#session.waitingFrames += 1;
    this.#queue.push(call);
    this.#go();
    return "taken";
  }

  /** Whether a CALL that comes now, of less than CALL_TOKEN_BYTES, has nothing to wait for but perhaps its token. */
  isIdle(bytes: number): boolean {
    return (
      !this.#held &&
      !this.#paused &&
      this.#queue.length === 0 &&
      this.#session.waitingFrames < MAX_WAITING_CALLS &&
      this.#deps.waiting.hasRoom(bytes)
    );
  }

  /** Takes in a CALL that goes into the lane at once, as `receive` and `enteredLane` do. False: it has to wait for its token. */
  enterLane(nowMs: number): boolean {
    if (!this.#calls.take(nowMs)) return false;
    this.#session.waitingFrames += 1;
    this.#inLane += 1;
    return true;
  }

  /** The CALL in turn goes into the lane now: those behind it may follow. */
  enteredLane(): void {
    this.#inLane += 1;
  }

  /** The lane told about a CALL: it was answered, or its connection is closed. */
  leftLane(): void {
    this.#inLane -= 1;
    this.#session.waitingFrames -= 1;
    if (this.#inLane > 0 || this.#whenLaneEmpty === undefined) return;
    const run = this.#whenLaneEmpty;
    this.#whenLaneEmpty = undefined;
    run();
  }

  /** Answers the CALL in turn without the lane, once all before it were answered, and ends its turn. */
  answerInTurn(answer: () => void): void {
    const run = () => {
      this.#session.waitingFrames -= 1;
      try {
        answer();
      } catch (fault) {
        this.#session.close(1011, "internal error");
        throw fault;
      } finally {
        this.nextTurn();
      }
    };
    if (this.#inLane === 0) run();
    else this.#whenLaneEmpty = run;
  }

  /** The CALL in turn is refused. */
  chargeRefusal(): void {
    this.#calls.charge(REFUSAL_COST);
  }

  /** Ends a turn that was held. */
  nextTurn(): void {
    this.#endTurn();
    this.#go();
  }

  /** Until there is a token. A closed connection is seen to then as well: what waits here is small. */
  #pause(): void {
    this.#paused = true;
    this.#deps.after(this.#calls.waitMs(this.#deps.monotonicMs()), () => {
      this.#paused = false;
      try {
        this.#go();
      } catch (fault) {
        // The connection is closed; thrown out of a timer it would end the process.
        this.#session.log.error({ error: fault }, "fault while handling a connection");
      }
    });
  }

  #endTurn(): void {
    this.#held = false;
    this.#deps.waiting.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #go(): void {
    while (!this.#held && !this.#paused) {
      // What a closed connection still had to say was never answered: the station says it again.
      if (!this.#session.open) for (const { bytes } of this.#queue.splice(0)) this.#deps.waiting.release(bytes.length);
      const call = this.#queue[0];
      if (call === undefined) return;
      if (!this.#calls.take(this.#deps.monotonicMs())) return this.#pause();
      this.#calls.charge(Math.floor(call.bytes.length / CALL_TOKEN_BYTES));
      this.#queue.shift();
      this.#held = true;
      this.#heldBytes = call.bytes.length;
      try {
        if (this.#takeTurn(call) === "stored") this.#endTurn();
      } catch (fault) {
        this.#session.close(1011, "internal error");
        this.nextTurn();
        throw fault;
      }
    }
  }
}
