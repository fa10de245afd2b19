import { jsonWithSource } from "./json-source.ts";

// What a station may send and Postgres refuses: U+0000 in text and jsonb, lone surrogates, numbers beyond numeric, nesting
// beyond the server's stack. None of it may hold up the rest, so it is made storable; the message log has the raw frame.

/** jsonb's limit lies at some thousand levels; no message of OCPP has more than a dozen. */
const MAX_DEPTH = 200;

/** Escapes that stand for what jsonb refuses, and exponents of more than three digits. */
const SUSPICIOUS = /\\u0000|\\u[dD][89a-fA-F]|[eE][+-]?\d{4,}/;
const HUGE_EXPONENT = /[eE][+-]?\d{4,}/;

/** The text with U+0000 and lone surrogates replaced by U+FFFD. */
export function storableText(text: string): string {
  return (text.includes("\u0000") ? text.replaceAll("\u0000", "\uFFFD") : text).toWellFormed();
}

/**
 * Raw JSON text as jsonb takes it. What cannot be repaired value by value is kept whole, as `{"raw": "…"}`.
 * Numbers keep the digits that the station sent.
 */
export function storableJson(raw: string): string {
  const text = storableText(raw);
  if (depthOf(text) > MAX_DEPTH) return JSON.stringify({ raw: text });
  if (!SUSPICIOUS.test(text)) return text;
  try {
    return JSON.stringify(parseExactly(text), (_key, value: unknown) => storableValue(value));
  } catch {
    return JSON.stringify({ raw: text });
  }
}

/** Every number as the text it was sent as: JSON.parse alone would round it. */
const parseExactly = (text: string): unknown =>
  jsonWithSource.parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined) return value;
    return HUGE_EXPONENT.test(source) ? source : jsonWithSource.rawJSON(source);
  });

function storableValue(value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  if (typeof value !== "object" || value === null || Array.isArray(value) || jsonWithSource.isRawJSON(value))
    return value;
  if (Object.keys(value).every((key) => storableText(key) === key)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [storableText(key), member]));
}

/** How deep the brackets go. Brackets inside strings count too: an upper bound is enough. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return deepest;
}
