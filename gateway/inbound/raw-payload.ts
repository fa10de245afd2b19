/** Message type, message id and, in a CALL or SEND, the action: everything in front of the payload. */
const BEFORE_CALL_PAYLOAD = /^\s*\[\s*[\d.eE+-]+\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*"(?:[^"\\]|\\.)*"\s*,/;
const BEFORE_RESULT_PAYLOAD = /^\s*\[\s*[\d.eE+-]+\s*,\s*"(?:[^"\\]|\\.)*"\s*,/;

/**
 * The payload of a frame as the station wrote it: no round trip through JavaScript's numbers.
 * @param frame text that decodeFrame could read @param payload what it read: used where the frame has odd extra parts
 */
export function rawPayload(frame: string, kind: "call" | "callResult", payload: unknown): string {
  const before = (kind === "call" ? BEFORE_CALL_PAYLOAD : BEFORE_RESULT_PAYLOAD).exec(frame);
  const text = before === null ? "" : frame.slice(before[0].length, frame.lastIndexOf("]")).trim();
  return isJson(text) && text !== "null" ? text : JSON.stringify(payload);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
