import { storableText } from "../message-log/storable-text.ts";
import { type MeterReading, readMeterValues, readTime } from "./meter-reading.ts";
import { int4Of, isObject, textOf } from "./read-fields.ts";

/** What a StartTransaction.req (C16 §4.8) says. Texts are as sent: together they are the business key. */
export interface StartMessage {
  connectorId: number;
  idTag: string;
  meterStart: string;
  timestamp: string;
}

/** What a StopTransaction.req (C16 §4.10) says. */
export interface StopMessage {
  transactionId: number;
  meterStop: string;
  stoppedAt: Date | null;
  reason: string | null;
  idTag: string | null;
  readings: MeterReading[];
}

/** What a TransactionEventRequest (P2 E, 2.0.1 and 2.1) says. */
export interface EventMessage {
  eventType: "Started" | "Updated" | "Ended";
  transactionId: string;
  seqNo: number;
  occurredAt: Date | null;
  triggerReason: string | null;
  stoppedReason: string | null;
  offline: boolean;
  evseId: number | null;
  connectorId: number | null;
  idToken: string | null;
  idTokenType: string | null;
  readings: MeterReading[];
}

/** Updated events whose token is about the end of the transaction, not about who started it (P2 TriggerReasonEnumType). */
const ENDING_TRIGGERS = new Set(["StopAuthorized", "Deauthorized"]);

/** Whether the event's token ends the transaction, or was refused in it. */
export const isTokenOfEnd = (event: Pick<EventMessage, "eventType" | "triggerReason">): boolean =>
  event.eventType === "Ended" || ENDING_TRIGGERS.has(event.triggerReason ?? "");

/** The longest idToken there is (2.1); sessions are indexed by it, and a longer text may not fit an index row. */
const MAX_TOKEN = 255;
const tokenOf = (value: unknown): string | null => storable(value)?.slice(0, MAX_TOKEN) ?? null;

const storable = (value: unknown): string | null => (typeof value === "string" ? storableText(value) : null);

/** Reads a payload of parseExactJson; undefined when the least that is needed is missing. */
export function readStart(payload: unknown): StartMessage | undefined {
  if (!isObject(payload)) return undefined;
  const connectorId = int4Of(payload["connectorId"]);
  const idTag = storable(payload["idTag"]);
  const meterStart = textOf(payload["meterStart"]);
  const timestamp = storable(payload["timestamp"]);
  if (connectorId === undefined || idTag === null || meterStart === undefined || timestamp === null) return undefined;
  // The business key is indexed: bounded, so that no text is too long for an index row.
  return {
    connectorId,
    idTag: idTag.slice(0, MAX_TOKEN),
    meterStart: storableText(meterStart).slice(0, 255),
    timestamp: timestamp.slice(0, 255),
  };
}

/** Reads a payload of parseExactJson; undefined when the least that is needed is missing. */
export function readStop(payload: unknown): StopMessage | undefined {
  if (!isObject(payload)) return undefined;
  const transactionId = int4Of(payload["transactionId"]);
  const meterStop = textOf(payload["meterStop"]);
  if (transactionId === undefined || meterStop === undefined) return undefined;
  return {
    transactionId,
    meterStop,
    stoppedAt: readTime(payload["timestamp"]),
    reason: storable(payload["reason"]),
    idTag: tokenOf(payload["idTag"]),
    readings: readMeterValues(payload["transactionData"]),
  };
}

/** Reads a payload of parseExactJson; undefined when the least that is needed is missing. */
export function readEvent(payload: unknown): EventMessage | undefined {
  if (!isObject(payload)) return undefined;
  const { eventType, transactionInfo } = payload;
  const info = isObject(transactionInfo) ? transactionInfo : {};
  const evse = isObject(payload["evse"]) ? payload["evse"] : {};
  const idToken = isObject(payload["idToken"]) ? payload["idToken"] : {};
  const transactionId = storable(info["transactionId"]);
  const seqNo = int4Of(payload["seqNo"]);
  if (eventType !== "Started" && eventType !== "Updated" && eventType !== "Ended") return undefined;
  if (transactionId === null || transactionId === "" || transactionId.length > 255 || seqNo === undefined)
    return undefined;
  return {
    eventType,
    transactionId,
    seqNo,
    occurredAt: readTime(payload["timestamp"]),
    triggerReason: storable(payload["triggerReason"]),
    stoppedReason: storable(info["stoppedReason"]),
    offline: payload["offline"] === true,
    evseId: int4Of(evse["id"]) ?? null,
    connectorId: int4Of(evse["connectorId"]) ?? null,
    idToken: tokenOf(idToken["idToken"]),
    idTokenType: storable(idToken["type"]),
    readings: readMeterValues(payload["meterValue"]),
  };
}
