import { idFor } from "../ids.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { energyRegisterWh } from "./meter-reading.ts";
import { type EventMessage, isTokenOfEnd } from "./transaction-messages.ts";

/** A TransactionEvent to be filed. */
export interface ReceivedEvent {
  station: KnownStation;
  ocppVersion: string;
  event: EventMessage;
  receivedAt: Date;
  /** JSON text that Postgres takes. */
  payload: string;
  /** The answer's payload that was given or is to be given; undefined where it follows from the action. */
  answer: object | undefined;
}

/** What the events of one batch say of one transaction: a row may be touched only once per statement. */
export interface TransactionChange {
  session_id: string;
  org_id: string;
  station_id: string;
  ocpp_version: string;
  transaction_id: string;
  evse_id: number | null;
  connector_id: number | null;
  id_token: string | null;
  id_token_type: string | null;
  id_token_status: string | null;
  state: "active" | "ended";
  started_at: string | null;
  start_received_at: string | null;
  meter_start_wh: string | null;
  stopped_at: string | null;
  stop_received_at: string | null;
  meter_stop_wh: string | null;
  stop_reason: string | null;
  stop_id_token: string | null;
  last_seq_no: number;
  started_seq_no: number | null;
  ended_seq_no: number | null;
  last_event_at: string;
  offline: boolean;
  flags: string[];
}

function changeOf({ station, ocppVersion, event, receivedAt, answer }: ReceivedEvent): TransactionChange {
  const at = (event.occurredAt ?? receivedAt).toISOString();
  const started = event.eventType === "Started";
  const ended = event.eventType === "Ended";
  return {
    session_id: idFor("sess", station.chargePointId, event.transactionId),
    org_id: station.orgId,
    station_id: station.id,
    ocpp_version: ocppVersion,
    transaction_id: event.transactionId,
    evse_id: event.evseId,
    connector_id: event.connectorId,
    // The token of an Ended event is the one it was stopped with (P2 E07).
    id_token: isTokenOfEnd(event) ? null : event.idToken,
    id_token_type: isTokenOfEnd(event) ? null : event.idTokenType,
    id_token_status: isTokenOfEnd(event) ? null : tokenStatusIn(answer),
    state: ended ? "ended" : "active",
    started_at: started ? at : null,
    start_received_at: started ? receivedAt.toISOString() : null,
    meter_start_wh: started ? energyRegisterWh(event.readings, "Transaction.Begin") : null,
    stopped_at: ended ? at : null,
    stop_received_at: ended ? receivedAt.toISOString() : null,
    meter_stop_wh: ended ? energyRegisterWh(event.readings, "Transaction.End") : null,
    // The spec's default for an end without reason (P2 TransactionType).
    stop_reason: ended ? (event.stoppedReason ?? "Local") : null,
    stop_id_token: isTokenOfEnd(event) ? event.idToken : null,
    last_seq_no: event.seqNo,
    started_seq_no: started ? event.seqNo : null,
    ended_seq_no: ended ? event.seqNo : null,
    last_event_at: receivedAt.toISOString(),
    offline: event.offline,
    flags: event.occurredAt !== null ? [] : started ? ["start_time_unreadable"] : ended ? ["stop_time_unreadable"] : [],
  };
}

/** What the station was told of the token that the event brought. */
function tokenStatusIn(answer: object | undefined): string | null {
  const info = (answer as { idTokenInfo?: { status?: unknown } } | undefined)?.idTokenInfo;
  return typeof info?.status === "string" ? info.status : null;
}

function merge(a: TransactionChange, b: TransactionChange): TransactionChange {
  const merged = { ...a };
  for (const [name, value] of Object.entries(b))
    if (a[name as keyof TransactionChange] === null) Object.assign(merged, { [name]: value });
  return {
    ...merged,
    state: b.state === "ended" ? "ended" : a.state,
    last_seq_no: Math.max(a.last_seq_no, b.last_seq_no),
    last_event_at: a.last_event_at > b.last_event_at ? a.last_event_at : b.last_event_at,
    offline: a.offline || b.offline,
    flags: [...a.flags, ...b.flags],
  };
}

/** What these events come to, one change per transaction. */
export function changesOf(received: readonly ReceivedEvent[]): TransactionChange[] {
  const changes = new Map<string, TransactionChange>();
  for (const one of received) {
    const change = changeOf(one);
    const key = `${change.station_id}/${change.transaction_id}`;
    const other = changes.get(key);
    changes.set(key, other === undefined ? change : merge(other, change));
  }
  return [...changes.values()];
}
