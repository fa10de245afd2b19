import type { PayloadRefusal } from "@dynamo-csms/ocpp-schemas/explain-schema-error";
import { validatePayload, type PayloadKind } from "@dynamo-csms/ocpp-schemas/validators";
import type { QuirkMode } from "@dynamo-csms/proto/quirks";
import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";
import { forgivePayload, type PayloadQuirk } from "./forgive-payload.ts";
import type { LaneWriter } from "./lane-writer.ts";

/**
 * Checks a payload of the station, CALL or answer, against its schema and the station's quirk profile; undefined: it is
 * to be treated as valid. What a quirk forgave is not marked in the frame's entry: `quirk` events beside it say so.
 */
export type PayloadCheck = (
  session: Session,
  action: string,
  kind: PayloadKind,
  payload: unknown,
) => PayloadRefusal | undefined;

export interface PayloadCheckDeps {
  nodeId: string;
  lane: Pick<LaneWriter, "appendEvent">;
  metrics: Pick<GatewayMetrics, "validationFailures" | "quirks">;
  /** Runs it later; what is left to be told when the process ends is lost. */
  after(ms: number, run: () => void): void;
}

/** A firmware does it with every message: the first is told at once, the others once a minute, as a number. */
const TELL_EVERY_MS = 60_000;

/** What is to be told of one connection's quirk: `count` messages since the last word; the timer runs while it is there. */
interface Untold {
  count: number;
  detail: string;
}

/** The check, with its memory of what was told. */
export function createPayloadCheck(deps: PayloadCheckDeps): PayloadCheck {
  /** Per connection, by quirk and mode. */
  const told = new WeakMap<Session, Map<string, Untold>>();

  function tell(session: Session, quirk: PayloadQuirk, mode: QuirkMode, count: number, detail: string): void {
    deps.lane.appendEvent(session, { event: "quirk", nodeId: deps.nodeId, quirk, mode, count, detail });
  }

  function note(session: Session, quirk: PayloadQuirk, mode: QuirkMode, detail: string): void {
    deps.metrics.quirks.inc({ quirk, mode });
    const ofSession = told.get(session) ?? new Map<string, Untold>();
    told.set(session, ofSession);
    const key = `${quirk} ${mode}`;
    const untold = ofSession.get(key);
    if (untold !== undefined) {
      untold.count += 1;
      untold.detail = detail;
      return;
    }
    tell(session, quirk, mode, 1, detail);
    ofSession.set(key, { count: 0, detail });
    deps.after(TELL_EVERY_MS, () => tellRest(session, quirk, mode, ofSession));
  }

  function tellRest(session: Session, quirk: PayloadQuirk, mode: QuirkMode, ofSession: Map<string, Untold>): void {
    const key = `${quirk} ${mode}`;
    const untold = ofSession.get(key);
    if (untold === undefined || untold.count === 0) return void ofSession.delete(key);
    tell(session, quirk, mode, untold.count, untold.detail);
    if (!session.open) return void ofSession.delete(key);
    ofSession.set(key, { count: 0, detail: "" });
    deps.after(TELL_EVERY_MS, () => tellRest(session, quirk, mode, ofSession));
  }

  /** True when everything that is wrong is forgiven. In report_only it is refused as ever, and told. */
  function isForgiven(session: Session, action: string, kind: PayloadKind, payload: unknown): boolean {
    const { version, record } = session;
    const quirks = record.quirks ?? {};
    const forgiven = forgivePayload({ version, action, kind }, payload, quirks);
    if (forgiven === undefined) return false;
    const found = [...forgiven].map(([quirk, detail]) => ({
      quirk,
      detail,
      mode: quirks[quirk]?.mode ?? "report_only",
    }));
    const reportOnly = found.filter(({ mode }) => mode === "report_only");
    // Of a message that is refused all the same, those in accept mode have forgiven nothing.
    for (const { quirk, mode, detail } of reportOnly.length > 0 ? reportOnly : found)
      note(session, quirk, mode, detail);
    return reportOnly.length === 0;
  }

  return (session, action, kind, payload) => {
    const refusal = validatePayload(session.version, action, kind, payload);
    if (refusal === undefined) return undefined;
    if (session.record.quirks !== undefined && isForgiven(session, action, kind, payload)) return undefined;
    deps.metrics.validationFailures.inc({ action, version: session.version });
    return refusal;
  };
}
