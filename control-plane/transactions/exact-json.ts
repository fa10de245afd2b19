import { jsonWithSource } from "../message-log/json-source.ts";

/** The fields that hold readings or money as JSON numbers: 1.6 meterStart and meterStop, 2.x SampledValue.value, 2.1 settlementAmount. */
const EXACT_FIELDS = new Set(["meterStart", "meterStop", "value", "settlementAmount"]);

/**
 * Parses a payload, with these fields as the texts that the station sent: no float round trip.
 * Throws SyntaxError like JSON.parse.
 */
export function parseExactJson(text: string): unknown {
  return jsonWithSource.parse(text, (key, value, { source }) =>
    typeof value === "number" && EXACT_FIELDS.has(key) && source !== undefined ? source : value,
  );
}
