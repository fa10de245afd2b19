import { jsonWithSource } from "../message-log/json-source.ts";

/** The fields that hold meter readings as JSON numbers: 1.6 meterStart and meterStop, 2.x SampledValue.value. */
const METER_FIELDS = new Set(["meterStart", "meterStop", "value"]);

/**
 * Parses a payload, with meter readings as the texts that the station sent: no float round trip.
 * Throws SyntaxError like JSON.parse.
 */
export function parseExactJson(text: string): unknown {
  return jsonWithSource.parse(text, (key, value, { source }) =>
    typeof value === "number" && METER_FIELDS.has(key) && source !== undefined ? source : value,
  );
}
