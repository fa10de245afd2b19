// The short way of what nearly every frame is: a valid CALL of an accepted station that is answered by us, with nothing before
// it on its connection. It is looked at byte by byte where it will stand in the lane's entry, so that nothing is made of it
// but the answer. Whatever is unusual in any way goes to receive-frame.ts, which does the same for every frame there is.

import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { CALL_TOKEN_BYTES } from "./conversation.ts";
import type { LaneWriter } from "./lane-writer.ts";
import { plainActions, type PlainAction, type PlainActionsDeps } from "./plain-actions.ts";
import { PlainAnswers, type PlainAnswersDeps } from "./plain-answers.ts";
import { ResultBytes } from "./result-bytes.ts";
import { closesEnvelope, scanEnvelope, type CallsByName, type Envelope } from "./scan-envelope.ts";

export interface TakePlainCallDeps {
  lane: Pick<LaneWriter, "stage" | "stagedBytes" | "tellsLast" | "appendStaged">;
  /** Payloads that are surely valid: ocpp-schemas/payload-scanners.ts. */
  scanners: Pick<PlainActionsDeps, "scannerOf" | "updateScannerOf">;
  metrics: Pick<GatewayMetrics, "frames" | "frameBytes" | "callDuration" | "backpressureDrops">;
  nowMs?(): number;
  monotonicMs?(): number;
}

/** @param frame the socket's own bytes, if need be. @returns false: nothing was done with it */
export type TakePlainCall = (session: Session, frame: Uint8Array) => boolean;

/** As many as are on their way to Redis. */
const SPARE_ANSWERS = 16;

/** The short way, for text frames. */
export function createTakePlainCall(deps: TakePlainCallDeps): TakePlainCall {
  const { lane, metrics } = deps;
  const nowMs = deps.nowMs ?? Date.now;
  const monotonicMs = deps.monotonicMs ?? (() => performance.now());
  const actions = new Map<OcppVersion, CallsByName<PlainAction>>(
    OCPP_VERSIONS.map((version) => [version, plainActions(version, { ...deps.scanners, metrics })]),
  );
  const frameBytes = metrics.frameBytes.series({});
  const envelope: Envelope<PlainAction> = { idAt: 0, idEnd: 0, call: undefined, payloadAt: 0 };
  const spare: PlainAnswers[] = [];
  const answering: PlainAnswersDeps = {
    metrics,
    nowMs,
    monotonicMs,
    results: new ResultBytes(),
    free: (done) => void (spare.length < SPARE_ANSWERS && spare.push(done)),
  };
  let answers = new PlainAnswers(answering);

  // Read once for all that comes in one turn of the event loop: it was all there when the turn began.
  let isRead = false;
  let receivedAtMs = 0;
  let startedAtMs = 0;
  const forget = () => void (isRead = false);
  function readClocks(): void {
    isRead = true;
    receivedAtMs = nowMs();
    startedAtMs = monotonicMs();
    setImmediate(forget);
  }

  return (session, frame) => {
    const { conversation, prefix } = session;
    const { length } = frame;
    // The first CALL of a connection begins its conversation.
    if (conversation === undefined || !session.open || !session.isAccepted) return false;
    if (length >= CALL_TOKEN_BYTES || !conversation.isIdle(length)) return false;
    const calls = actions.get(session.version);
    if (calls === undefined) return false;

    if (!isRead) readClocks();
    const at = lane.stage(prefix, receivedAtMs, frame);
    if (at < 0) return false;
    const bytes = lane.stagedBytes;
    if (!scanEnvelope(bytes, at, calls, envelope)) return false;
    const action = envelope.call as PlainAction;
    const payloadEnd = action.scan(bytes, envelope.payloadAt);
    if (payloadEnd < 0 || !closesEnvelope(bytes, payloadEnd, at + length)) return false;
    if (!conversation.enterLane(startedAtMs)) return false;

    action.frames.count += 1;
    frameBytes.observe(length);
    if (!lane.tellsLast(answers.told)) answers = spare.pop() ?? new PlainAnswers(answering);
    answers.add(session, conversation, action, envelope.idAt, envelope.idEnd, startedAtMs);
    lane.appendStaged(prefix, session.nextSeq(), receivedAtMs, length, answers.told);
    return true;
  };
}
