import type { Session } from "../sockets/session.ts";
import { BrokenFrameBudget } from "./broken-frame.ts";

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
  readonly brokenFrames = new BrokenFrameBudget();
  /** SENDs appended and not yet durable. */
  waitingSends = 0;
  readonly #session: Session;
  readonly #takeTurn: TakeTurn;
  #queue: ReceivedCall[] = [];
  #held = false;
  /** CALLs in the lane without acknowledgement. */
  #inLane = 0;
  #whenLaneEmpty: (() => void) | undefined;

  constructor(session: Session, takeTurn: TakeTurn) {
    this.#session = session;
    this.#takeTurn = takeTurn;
  }

  /** Takes a CALL in. False: too many wait already. */
  receive(call: ReceivedCall): boolean {
    if (this.#session.waitingFrames >= MAX_WAITING_CALLS) return false;
    this.#session.waitingFrames += 1;
    this.#queue.push(call);
    this.#go();
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
      answer();
      this.nextTurn();
    };
    if (this.#inLane === 0) run();
    else this.#whenLaneEmpty = run;
  }

  /** Ends a turn that was held. */
  nextTurn(): void {
    this.#held = false;
    this.#go();
  }

  #go(): void {
    while (!this.#held) {
      // What a closed connection still had to say was never answered: the station says it again.
      if (!this.#session.open) this.#queue = [];
      const call = this.#queue.shift();
      if (call === undefined) return;
      this.#held = true;
      if (this.#takeTurn(call) === "stored") this.#held = false;
    }
  }
}
