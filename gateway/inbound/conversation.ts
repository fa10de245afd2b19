import type { Session } from "../sockets/session.ts";
import { MinuteBudget } from "./minute-budget.ts";
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
/** Enough to see what a unit does wrong; past it refused CALLs are answered all the same, and not logged. */
const LOGGED_REFUSALS_PER_MINUTE = 20;
/** Lines of our own log on data that breaks its schema: a unit that does it, does it with every meter value. */
const FLAGGED_LINES_PER_MINUTE = 5;

/** What becomes of the CALL in turn: stored already (`done` comes later), or the turn stays with it until `nextTurn`. */
export type TakeTurn = (call: ReceivedCall) => "stored" | "holds-turn";

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
  readonly loggedRefusals = new MinuteBudget(LOGGED_REFUSALS_PER_MINUTE);
  readonly flaggedLines = new MinuteBudget(FLAGGED_LINES_PER_MINUTE);
  /** SENDs appended and not yet durable. */
  waitingSends = 0;
  readonly #session: Session;
  readonly #takeTurn: TakeTurn;
  readonly #waiting: WaitingBytes;
  #queue: ReceivedCall[] = [];
  #held = false;
  /** Bytes of the CALL in turn. */
  #heldBytes = 0;
  /** CALLs in the lane without acknowledgement. */
  #inLane = 0;
  #whenLaneEmpty: (() => void) | undefined;

  /** @param waiting counts the CALLs of all connections that the lane does not have yet */
  constructor(session: Session, takeTurn: TakeTurn, waiting: WaitingBytes) {
    this.#session = session;
    this.#takeTurn = takeTurn;
    this.#waiting = waiting;
  }

  /** Takes a CALL in, unless too many of this connection wait already, or too much of all. */
  receive(call: ReceivedCall): "taken" | "too-many" | "no-room" {
    if (this.#session.waitingFrames >= MAX_WAITING_CALLS) return "too-many";
    if (!this.#waiting.take(call.bytes.length)) return "no-room";
    this.#session.waitingFrames += 1;
    this.#queue.push(call);
    this.#go();
    return "taken";
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
      answer();
      this.nextTurn();
    };
    if (this.#inLane === 0) run();
    else this.#whenLaneEmpty = run;
  }

  /** Ends a turn that was held. */
  nextTurn(): void {
    this.#endTurn();
    this.#go();
  }

  #endTurn(): void {
    this.#held = false;
    this.#waiting.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  #go(): void {
    while (!this.#held) {
      // What a closed connection still had to say was never answered: the station says it again.
      if (!this.#session.open) for (const { bytes } of this.#queue.splice(0)) this.#waiting.release(bytes.length);
      const call = this.#queue.shift();
      if (call === undefined) return;
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
