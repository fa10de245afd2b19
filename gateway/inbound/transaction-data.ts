// Transaction data is billing data, and a CALLERROR makes a station throw it away after a few tries (C16 §3.7.1, 2.x
// E13.FR.02 to 04). So what breaks its schema is stored and answered all the same, if one can tell what it is about.

const isInteger = (value: unknown) => typeof value === "number" && Number.isInteger(value);
const isText = (value: unknown) => typeof value === "string" && value !== "";

type Fields = Record<string, unknown>;

/** Per action: can the minimum be read that places it? */
const MINIMUM = new Map<string, (payload: Fields) => boolean>([
  [
    "StartTransaction",
    (p) =>
      isInteger(p["connectorId"]) &&
      isText(p["idTag"]) &&
      typeof p["meterStart"] === "number" &&
      isText(p["timestamp"]),
  ],
  [
    "StopTransaction",
    (p) => isInteger(p["transactionId"]) && typeof p["meterStop"] === "number" && isText(p["timestamp"]),
  ],
  ["MeterValues", (p) => (isInteger(p["connectorId"]) || isInteger(p["evseId"])) && Array.isArray(p["meterValue"])],
  [
    "TransactionEvent",
    (p) =>
      isText(p["eventType"]) &&
      isText(p["timestamp"]) &&
      isInteger(p["seqNo"]) &&
      hasTransactionId(p["transactionInfo"]),
  ],
]);

/** Messages that an outage of ours must never answer with a CALLERROR. */
export const isTransactionData = (action: string): boolean => MINIMUM.has(action);

/** A payload against its schema that is still worth keeping. */
export function isReadableTransactionData(action: string, payload: unknown): boolean {
  const minimum = MINIMUM.get(action);
  return minimum !== undefined && typeof payload === "object" && payload !== null && minimum(payload as Fields);
}

function hasTransactionId(info: unknown): boolean {
  return typeof info === "object" && info !== null && isText((info as Fields)["transactionId"]);
}
