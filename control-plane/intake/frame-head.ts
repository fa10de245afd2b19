import { MAX_NESTING } from "@dynamo-csms/proto/ocpp-frame";

/** A CALL or SEND up to its payload. */
export interface FrameHead {
  messageId: string;
  action: string;
  /** Where the payload begins. */
  payloadAt: number;
}

/** As nearly every station writes it: no escapes, and a payload that is an object. Message ids as in decodeFrame. */
// oxlint-disable-next-line no-control-regex -- they may not stand in JSON strings
const HEAD = /^\[\s*[26]\s*,\s*"([^"\\\u0000-\u001f]{1,36})"\s*,\s*"([A-Za-z0-9]{1,64})"\s*,\s*(?=\{)/;

/**
 * The beginning of a frame that the gateway took for a valid CALL or SEND, without parsing it; undefined for whatever is
 * written otherwise: decodeFrame reads it.
 */
export function headOf(text: string): FrameHead | undefined {
  const match = HEAD.exec(text);
  if (match === null) return undefined;
  return { messageId: match[1] as string, action: match[2] as string, payloadAt: match[0].length };
}

/** The payload's JSON text, if nothing stands behind it; else the text is no JSON. */
export const payloadTextAt = (text: string, payloadAt: number): string =>
  text.slice(payloadAt, text.lastIndexOf("]")).trimEnd();

/** Whether the brackets could nest deeper than decodeFrame lets them, by their number. */
export function mayNestTooDeep(text: string): boolean {
  let left = MAX_NESTING;
  for (const bracket of ["{", "["])
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (--left < 0) return true;
  return false;
}
