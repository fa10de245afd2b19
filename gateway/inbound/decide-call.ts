import type { CallRefusal } from "@dynamo-csms/proto/call-error";
import type { Session } from "../sockets/session.ts";
import { answerAlone, type Answer, type AnswerAloneDeps } from "./answer-alone.ts";
import type { DecisionsClient } from "./decisions-client.ts";
import { isTransactionData } from "./transaction-data.ts";

export interface CallToDecide {
  messageId: string;
  action: string;
  payload: unknown;
  /** As received. */
  payloadText: string;
  seq: number;
  receivedAtMs: number;
}

export interface DecideCallDeps extends AnswerAloneDeps {
  nodeId: string;
  decisions: Pick<DecisionsClient, "decide">;
  /** What only the control plane can answer is asked again for so long, counted from the first question. */
  decisionHoldMs: number;
  onOutcome(action: string, outcome: "result" | "refusal" | "unavailable"): void;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
}

/** The station waits for 30 s or more; the rest is for storing the answer and for its way. */
const DECISION_TIMEOUT_MS = 5_000;
const ASK_AGAIN_MS = 500;

/** Has a CALL of class "decision" decided: by the control plane, or by us while that is away. Never rejects. */
export async function decideCall(session: Session, call: CallToDecide, deps: DecideCallDeps): Promise<Answer> {
  const giveUpAtMs = deps.monotonicMs() + deps.decisionHoldMs;
  for (;;) {
    const decision = await deps.decisions.decide(questionOf(session, call, deps.nodeId), DECISION_TIMEOUT_MS);
    deps.onOutcome(call.action, decision.kind);
    if (decision.kind === "result") {
      const { payload, registration } = decision;
      return { kind: "answer", payload, ...(registration === undefined ? {} : { registration }) };
    }
    if (decision.kind === "refusal" && !isOurFault(call.action, decision.refusal))
      return { kind: "refuse", refusal: decision.refusal };

    const alone = await answerAlone({ action: call.action, payload: call.payload, record: session.record }, deps);
    if (alone.kind !== "hold") return alone;
    if (deps.monotonicMs() >= giveUpAtMs) return { kind: "let-go", reason: "no decision can be made now" };
    if (!session.open) return { kind: "let-go", reason: "the station left" };
    // Apart, so that what was held does not come down on the control plane as one when it is back.
    await deps.sleep(ASK_AGAIN_MS * (0.5 + deps.random()));
  }
}

/** A fault of the control plane must not cost the station its transaction data. */
const isOurFault = (action: string, refusal: CallRefusal) =>
  refusal.refusal === "internal" && isTransactionData(action);

function questionOf(session: Session, call: CallToDecide, nodeId: string) {
  return {
    identity: session.identity,
    epoch: session.epoch,
    seq: call.seq,
    receivedAtMs: call.receivedAtMs,
    ocppVersion: session.version,
    messageId: call.messageId,
    action: call.action,
    payload: call.payloadText,
    nodeId,
  };
}
