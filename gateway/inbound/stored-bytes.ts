import type { ReceivedCall } from "./conversation.ts";
import { maskSettings, TELLS_SETTINGS } from "./mask-secrets.ts";

type Call = Pick<ReceivedCall, "action" | "payload" | "bytes" | "messageId">;

/** The frame as received, unless it tells a secret setting. */
export function storedBytes(call: Call, type = 2): Uint8Array {
  return TELLS_SETTINGS.has(call.action) ? maskedBytes(call, type) : call.bytes;
}

/** A refused CALL promises nothing: of a large one the beginning is enough, and it cannot fill the lane. */
const MAX_REFUSED_BYTES = 64 * 1024;

/** As `storedBytes`; but a message that should not have come may tell a setting under any name, and is cut. */
export const refusedBytes = (call: Call): Uint8Array => beginningOf(maskedBytes(call, 2), MAX_REFUSED_BYTES);

/** At most so many bytes of UTF-8 text, and never a part of a character. */
export function beginningOf(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length <= length) return bytes;
  let end = length;
  while (((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

function maskedBytes(call: Call, type: number): Uint8Array {
  const masked = maskSettings(call.payload);
  return masked === undefined
    ? call.bytes
    : Buffer.from(JSON.stringify([type, call.messageId, call.action, masked]), "utf8");
}
