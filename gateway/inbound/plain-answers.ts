import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import type { Conversation } from "./conversation.ts";
import { timePayload } from "./edge-answers.ts";
import { letGo } from "./let-go.ts";
import type { PlainAction } from "./plain-actions.ts";
import { resultTail, type ResultBytes } from "./result-bytes.ts";
import type { Stored } from "./retained-entries.ts";

export interface PlainAnswersDeps {
  metrics: Pick<GatewayMetrics, "backpressureDrops">;
  nowMs(): number;
  monotonicMs(): number;
  /** One for all: each frame is sent before the next is made. */
  results: ResultBytes;
  /** From now on it can be used for other CALLs. */
  free(answers: PlainAnswers): void;
}

/**
 * Who is to be answered what, once an entry is durable: plain CALLs that follow each other in it. One such object is told for
 * all of them, and its lists are used again, so that nothing is made per CALL.
 */
export class PlainAnswers {
  readonly #deps: PlainAnswersDeps;
  readonly #sessions: (Session | undefined)[] = [];
  readonly #conversations: (Conversation | undefined)[] = [];
  readonly #actions: PlainAction[] = [];
  /** Where the message ids stand in the entry. */
  readonly #idsAt: number[] = [];
  readonly #idsEnd: number[] = [];
  readonly #startedAtMs: number[] = [];
  #count = 0;

  constructor(deps: PlainAnswersDeps) {
    this.#deps = deps;
  }

  /** @param startedAtMs monotonic: when the CALL came */
  add(
    session: Session,
    conversation: Conversation,
    action: PlainAction,
    idAt: number,
    idEnd: number,
    startedAtMs: number,
  ): void {
    const at = this.#count++;
    this.#sessions[at] = session;
    this.#conversations[at] = conversation;
    this.#actions[at] = action;
    this.#idsAt[at] = idAt;
    this.#idsEnd[at] = idEnd;
    this.#startedAtMs[at] = startedAtMs;
  }

  /** Answers them in their order, or lets their stations go. One that cannot be answered keeps none behind it waiting. */
  readonly told: Stored = (stored, entry) => {
    const { nowMs, monotonicMs, results, free } = this.#deps;
    // One time for all of them: they are answered in one go.
    let currentTime: Uint8Array | undefined;
    const answeredAtMs = monotonicMs();
    const count = this.#count;
    let firstFault: unknown;
    for (let at = 0; at < count; at++) {
      const action = this.#actions[at] as PlainAction;
      const session = this.#sessions[at] as Session;
      const conversation = this.#conversations[at] as Conversation;
      try {
        try {
          if (stored) {
            const tail = action.answer ?? (currentTime ??= resultTail(timePayload(nowMs())));
            session.send(results.frame(entry, this.#idsAt[at] as number, this.#idsEnd[at] as number, tail));
            action.durations.observe((answeredAtMs - (this.#startedAtMs[at] as number)) / 1_000);
          } else letGo(session, "not-stored", this.#deps.metrics);
        } finally {
          // What waited for it has its turn in here: its faults are its connection's, too.
          conversation.leftLane();
        }
      } catch (fault) {
        session.close(1011, "internal error");
        firstFault ??= fault;
      }
    }
    this.#sessions.fill(undefined);
    this.#conversations.fill(undefined);
    this.#count = 0;
    free(this);
    if (firstFault !== undefined) throw firstFault;
  };
}
