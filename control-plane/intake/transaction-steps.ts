import { storableJson, storableText } from "../message-log/storable-text.ts";
import { parseExactJson } from "../transactions/exact-json.ts";
import { fileEarlyReadings } from "../transactions/early-readings.ts";
import { type MeterReading, readMeterValues } from "../transactions/meter-reading.ts";
import { MeterTemplates, readMeterMessage } from "../transactions/meter-templates.ts";
import { quarantine } from "../transactions/quarantine.ts";
import { int4Of, isObject } from "../transactions/read-fields.ts";
import { readSettlement } from "../transactions/record-settlements.ts";
import { restoreStart, type StartAnswer } from "../transactions/start-transaction.ts";
import { applyEarlyStop, stopTransaction } from "../transactions/stop-transaction.ts";
import { readEvent, readStart, readStop } from "../transactions/transaction-messages.ts";
import type { Effects } from "./effects.ts";
import { asQuarantined, type ReceivedCall, type Step } from "./step.ts";

/** Authorize, all versions: what was answered Accepted, by the control plane or by the gateway alone, is told. */
export const authorize: Step = (call, effects) => {
  const payload = isObject(call.payload) ? call.payload : {};
  const answer = isObject(call.answer) ? call.answer : {};
  const idToken = payload["idTag"] ?? (isObject(payload["idToken"]) ? payload["idToken"]["idToken"] : undefined);
  const info = answer["idTagInfo"] ?? answer["idTokenInfo"];
  if (typeof idToken !== "string" || !isObject(info) || info["status"] !== "Accepted") return;
  const { station, epoch, seq, receivedAt } = call;
  effects.authorizations.push({ station, epoch, seq, idToken: storableText(idToken), receivedAt });
};

// All of these take `unknown`: transaction data that breaks its schema comes here too.

/** StartTransaction (C16 §4.8): decided and committed before it was answered, so only put back if Postgres lost it. */
export const start16: Step = (call, effects) => {
  const start = readStart(parseExactJson(call.payloadText));
  const answer = readStartAnswer(call.answer);
  if (start === undefined || answer === undefined)
    return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.transactions.push(async (sql) => {
    const outcome = await restoreStart(sql, call.station, start, answer, call.receivedAt);
    if (outcome === "restored") {
      await fileEarlyReadings(sql, call.station, answer.transactionId);
      await applyEarlyStop(sql, call.station, answer.transactionId);
    }
    if (outcome === "conflict") await quarantine(sql, [asQuarantined(call, "answered with another transaction id")]);
  });
};

function readStartAnswer(answer: object | undefined): StartAnswer | undefined {
  if (!isObject(answer)) return undefined;
  const transactionId = int4Of(answer["transactionId"]);
  return transactionId === undefined || transactionId < 1 || !isObject(answer["idTagInfo"])
    ? undefined
    : { transactionId, idTagInfo: answer["idTagInfo"] };
}

/** StopTransaction (C16 §4.10): the gateway may have answered it alone, so its full effect is here. */
export const stop16: Step = (call, effects) => {
  const stop = readStop(parseExactJson(call.payloadText));
  if (stop === undefined) return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.transactions.push(async (sql) => {
    const { kind } = await stopTransaction(sql, call.station, stop, {
      payload: call.payloadText,
      receivedAt: call.receivedAt,
      ...(call.answer === undefined ? {} : { given: call.answer }),
    });
    if (kind === "unknown") await quarantine(sql, [asQuarantined(call, "unknown transaction")]);
    if (kind === "differs") await quarantine(sql, [asQuarantined(call, "already stopped otherwise")]);
  });
  addReadings(call, effects, stop.readings, { transactionId: String(stop.transactionId), connector: undefined });
};

/** Of what stations said before: nothing but time is lost with it. */
const templates = new MeterTemplates();

/** MeterValues of 1.6 (C16 §4.7). */
export const meterValues16: Step = (call, effects) => {
  const { transactionId, connector, readings } =
    templates.read(call.station.id, call.payloadText) ?? readMeterMessage(call.payload);
  // 0 and below are what stations without a transaction send (ocpp-cp-simulator#357, libocpp#495).
  const inTransaction = transactionId !== undefined && transactionId > 0;
  addReadings(call, effects, readings, {
    transactionId: inTransaction ? String(transactionId) : undefined,
    connector,
  });
};

/** MeterValues of 2.x (P2 J01): outside transactions. */
export const meterValues2: Step = (call, effects) => {
  const payload = parseExactJson(call.payloadText);
  if (!isObject(payload)) return;
  addReadings(call, effects, readMeterValues(payload["meterValue"]), {
    transactionId: undefined,
    connector: int4Of(payload["evseId"]) ?? 0,
  });
};

/** TransactionEvent (P2 E): the gateway may have answered it alone, so its full effect is here. */
export const transactionEvent: Step = (call, effects) => {
  const event = readEvent(parseExactJson(call.payloadText));
  if (event === undefined) return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  effects.transactionEvents.push({
    station: call.station,
    ocppVersion: call.version,
    event,
    receivedAt: call.receivedAt,
    payload: storableJson(call.payloadText),
    answer: call.answer,
    message: asQuarantined(call, "another event has this seqNo"),
  });
  addReadings(call, effects, event.readings, { transactionId: event.transactionId, connector: event.evseId ?? 0 });
};

/** NotifySettlement (2.1 P2 C20): what a payment terminal did with a payment. */
export const settlement: Step = (call, effects) => {
  const payload = parseExactJson(call.payloadText);
  const read = isObject(payload) ? readSettlement(payload) : undefined;
  if (read === undefined) return void effects.quarantined.push(asQuarantined(call, "cannot be read"));
  const { station, epoch, seq, receivedAt, payloadText } = call;
  effects.settlements.push({
    stationId: station.id,
    epoch,
    seq,
    receivedAt,
    payload: storableJson(payloadText),
    ...read,
  });
};

function addReadings(
  call: ReceivedCall,
  effects: Effects,
  readings: MeterReading[],
  of: { transactionId: string | undefined; connector: number | undefined },
): void {
  const { station, receivedAt } = call;
  const message = asQuarantined(call, "unknown transaction");
  for (const reading of readings) {
    effects.readings.push({ stationId: station.id, receivedAt, reading, message, ...of });
    if (of.transactionId === undefined) continue;
    const { transactionId } = of;
    for (const sample of reading.signed ?? [])
      effects.signedSamples.push({
        stationId: station.id,
        transactionId,
        sampledAt: reading.sampledAt,
        receivedAt,
        sample,
      });
  }
}
