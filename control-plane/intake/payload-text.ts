/**
 * The JSON text of a CALL's payload, cut out of the frame as it travelled: parsing and printing it again could change
 * numbers. The frame is known to be `[2, "id", "action", payload]` (or 6).
 */
export function payloadTextOf(frame: string): string {
  let at = frame.indexOf("[") + 1;
  for (let commas = 0; commas < 3; at += 1) {
    const code = frame[at];
    // Past the end: not such a frame; the caller parsed it, so it has no payload to speak of.
    if (code === undefined) return "{}";
    if (code === '"') at = endOfString(frame, at);
    else if (code === ",") commas += 1;
  }
  return frame.slice(at, endOfValue(frame, at)).trim();
}

/** Index of the closing quote of the string that opens at `at`. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

/** Index behind the value: of the comma or bracket that ends it at this level. */
function endOfValue(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    const code = text[i];
    if (code === '"') i = endOfString(text, i);
    else if (code === "{" || code === "[") depth += 1;
    else if (code === "}" || code === "]") {
      if (depth === 0) return i;
      depth -= 1;
    } else if (code === "," && depth === 0) return i;
  }
  return text.length;
}
