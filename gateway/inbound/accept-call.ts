import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { CALL_ERROR_CODE, type CallRefusal } from "@dynamo-csms/proto/call-error";
import { encodeCallError, encodeCallResult } from "@dynamo-csms/proto/ocpp-frame";
import { FLAG_FLAGGED, type GivenAnswer } from "@dynamo-csms/proto/stream-entry";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { classOf, transactionEventNeedsDecision } from "./action-class.ts";
import type { Answer } from "./answer-alone.ts";
import type { Conversation, ReceivedCall } from "./conversation.ts";
import type { CallToDecide } from "./decide-call.ts";
import { timePayload } from "./edge-answers.ts";
import type { LaneWriter } from "./lane-writer.ts";
import { letGo } from "./let-go.ts";
import type { StationBudget } from "./minute-budget.ts";
import type { PayloadCheck } from "./payload-check.ts";
import { rawPayload } from "./raw-payload.ts";
import { mayCall } from "./registration-gate.ts";
import { serialMismatch } from "./serial-number.ts";
import { refusedBytes, storedBytes } from "./stored-bytes.ts";
import { isReadableTransactionData } from "./transaction-data.ts";

export interface AcceptCallDeps {
  lane: Pick<LaneWriter, "append">;
  decide(session: Session, call: CallToDecide): Promise<Answer>;
  /** Whether we asked this connection for a message that it may otherwise not send yet. */
  askedFor(session: Session, action: string): boolean;
  checkPayload: PayloadCheck;
  /** The station at the other end is not the one that its certificate names. */
  foreignStation(session: Session, detail: string): void;
  /** Refused CALLs that are kept for the message log; past it they are answered all the same. */
  refusedEntries: StationBudget;
  /** Lines of our own log on data that breaks its schema: a unit that does it, does it with every meter value. */
  flaggedLines: StationBudget;
  metrics: Pick<GatewayMetrics, "callDuration" | "backpressureDrops">;
  nowMs(): number;
}

/** What a CALL is worth, before anything is done with it. */
type Verdict =
  | { kind: "refuse"; refusal: CallRefusal; flags: number }
  /** `payload` undefined: the time at which it is answered. */
  | { kind: "edge"; payload: string | undefined; flags: number }
  | { kind: "decide"; flags: number }
  /** Somebody else's certificate: the connection ends, and the boot gets no answer. */
  | { kind: "foreign"; detail: string };

/**
 * Known action? Registered? Valid? Then: stored by us, or asked for. Three exits refuse, in this order, so that a
 * station that may not speak yet learns nothing about its payloads.
 */
function judgeCall(
  session: Session,
  call: Pick<ReceivedCall, "action" | "payload">,
  deps: Pick<AcceptCallDeps, "askedFor" | "checkPayload">,
  mayLog: () => boolean,
): Verdict {
  const { action, payload } = call;
  const known = classOf(session.version, action, false);
  if (known === undefined)
    return refuse(
      // Known to us, and nothing that we do: what only the CSMS sends (2.0.1 Part 4 §4.3, "NotSupported").
      isCsmsAction(session.version, action) ? "unsupported-action" : "unknown-action",
      `${action.slice(0, 50)}: no action that a station sends in OCPP ${session.version}`,
    );
  if (!mayCall(session.record.registration, action, (asked) => deps.askedFor(session, asked)))
    return refuse("not-allowed", "the station's BootNotification was not accepted yet");

  let flags = 0;
  const refusal = deps.checkPayload(session, action, "request", payload);
  if (refusal !== undefined) {
    if (!isReadableTransactionData(action, payload)) return { kind: "refuse", refusal, flags: FLAG_FLAGGED };
    if (mayLog())
      session.log.warn(
        { action, pointer: refusal.pointer, refusal: refusal.refusal },
        "transaction data against its schema: stored and flagged",
      );
    flags = FLAG_FLAGGED;
  }
  if (action === "BootNotification" && session.clientCertificate !== undefined) {
    const detail = serialMismatch(session.version, session.clientCertificate.commonName, payload as object);
    if (detail !== undefined) return { kind: "foreign", detail };
  }
  switch (known.class) {
    case "edge":
      return { kind: "edge", payload: known.payload, flags };
    case "edge-with-time":
      return { kind: "edge", payload: undefined, flags };
    case "decision":
      return { kind: "decide", flags };
    case "transaction-event":
      return transactionEventNeedsDecision(payload as object)
        ? { kind: "decide", flags }
        : { kind: "edge", payload: "{}", flags };
    case "send":
      return refuse("unsupported-action", `${action} is a SEND`);
  }
}

/** Carries one CALL from its turn to its answer: durable first, then answered; or refused; or the station is let go. */
export function createAcceptCall(deps: AcceptCallDeps) {
  const answered = (call: ReceivedCall, outcome: "result" | "error") =>
    deps.metrics.callDuration.observe(
      { direction: "in", action: outcome === "result" ? call.action : "", outcome },
      (performance.now() - call.startedAtMs) / 1_000,
    );

  function refuseCall(
    session: Session,
    conversation: Conversation,
    call: ReceivedCall,
    { refusal, flags }: { refusal: CallRefusal; flags: number },
  ): void {
    session.log.debug({ messageId: call.messageId, refusal: refusal.refusal }, "call refused");
    const code = CALL_ERROR_CODE[refusal.refusal][session.version];
    const reply = encodeCallError(call.messageId, code, refusal.description);
    // For the message log alone, and best effort: a refusal promises nothing, so it does not wait to be durable.
    if (deps.refusedEntries.spend(session.identity, call.startedAtMs))
      deps.lane.append(
        session.prefix,
        flags,
        call.seq,
        call.receivedAtMs,
        refusedBytes(call),
        given(call, reply),
        () => undefined,
      );
    conversation.chargeRefusal();
    conversation.answerInTurn(() => {
      session.send(reply);
      answered(call, "error");
    });
  }

  const whenStored =
    (session: Session, conversation: Conversation, call: ReceivedCall, reply: () => string) =>
    (stored: boolean): void => {
      try {
        if (stored) {
          session.send(reply());
          answered(call, "result");
        } else letGo(session, "not-stored", deps.metrics);
      } catch (fault) {
        session.close(1011, "internal error");
        throw fault;
      } finally {
        conversation.leftLane();
      }
    };

  function storeEdge(
    session: Session,
    conversation: Conversation,
    call: ReceivedCall,
    verdict: Extract<Verdict, { kind: "edge" }>,
  ): void {
    conversation.enteredLane();
    deps.lane.append(
      session.prefix,
      verdict.flags,
      call.seq,
      call.receivedAtMs,
      storedBytes(call),
      undefined,
      whenStored(session, conversation, call, () =>
        encodeCallResult(call.messageId, verdict.payload ?? timePayload(deps.nowMs())),
      ),
    );
  }

  async function storeDecided(
    session: Session,
    conversation: Conversation,
    call: ReceivedCall,
    flags: number,
  ): Promise<void> {
    const payloadText = rawPayload(call.text, "call", call.payload);
    const answer = await deps.decide(session, { ...call, payloadText });
    switch (answer.kind) {
      case "refuse":
        return refuseCall(session, conversation, call, { refusal: answer.refusal, flags });
      case "let-go":
        return conversation.answerInTurn(() => letGo(session, "no-decision", deps.metrics));
      case "answer": {
        if (answer.registration !== undefined)
          session.record = { ...session.record, registration: answer.registration };
        const reply = encodeCallResult(call.messageId, answer.payload);
        conversation.enteredLane();
        deps.lane.append(
          session.prefix,
          flags,
          call.seq,
          call.receivedAtMs,
          call.bytes,
          given(call, reply),
          whenStored(session, conversation, call, () => reply),
        );
        conversation.nextTurn();
      }
    }
  }

  return (session: Session, conversation: Conversation, call: ReceivedCall): "stored" | "holds-turn" => {
    const verdict = judgeCall(session, call, deps, () => deps.flaggedLines.spend(session.identity, call.startedAtMs));
    switch (verdict.kind) {
      case "refuse":
        refuseCall(session, conversation, call, verdict);
        return "holds-turn";
      case "foreign":
        deps.foreignStation(session, verdict.detail);
        session.close(1008, "serial number is not the certificate's");
        conversation.nextTurn();
        return "holds-turn";
      case "edge":
        storeEdge(session, conversation, call, verdict);
        return "stored";
      case "decide":
        storeDecided(session, conversation, call, verdict.flags).catch((cause: unknown) => {
          session.log.error({ action: call.action, error: cause }, "call could not be handled");
          letGo(session, "no-decision", deps.metrics);
          conversation.nextTurn();
        });
        return "holds-turn";
    }
  };
}

const refuse = (refusal: CallRefusal["refusal"], description: string): Verdict => ({
  kind: "refuse",
  refusal: { refusal, description },
  flags: 0,
});

/** The reply as it goes into the lane, with the time that it took to know it. */
const given = (call: Pick<ReceivedCall, "startedAtMs">, reply: string): GivenAnswer => ({
  text: Buffer.from(reply, "utf8"),
  afterMs: performance.now() - call.startedAtMs,
});
