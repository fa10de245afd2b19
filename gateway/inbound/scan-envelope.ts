import { MAX_MESSAGE_ID } from "@dynamo-csms/proto/ocpp-frame";

const [TAB, LF, CR, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const [QUOTE, BACKSLASH, COMMA, TWO, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT] = [0x22, 0x5c, 0x2c, 0x32, 0x5b, 0x5d, 0x7b];

/** What a CALL is made of, as places in the bytes that it stands in. One object is filled in again and again. */
export interface Envelope<Call> {
  idAt: number;
  idEnd: number;
  /** What the action's name stands for. */
  call: Call | undefined;
  /** The `{` of the payload. */
  payloadAt: number;
}

/** Actions by their names' bytes. */
export type CallsByName<Call> = ReadonlyMap<number, { name: Uint8Array; call: Call }>;

/** Makes names findable by `scanEnvelope`. Two that it could not tell apart are a fault: thrown. */
export function callsByName<Call>(calls: Iterable<readonly [name: string, call: Call]>): CallsByName<Call> {
  const byName = new Map<number, { name: Uint8Array; call: Call }>();
  for (const [text, call] of calls) {
    const name = Buffer.from(text, "latin1");
    const key = keyOf(name, 0, name.length);
    if (byName.has(key)) throw new Error(`${text}: an action with the same key`);
    byName.set(key, { name, call });
  }
  return byName;
}

/**
 * Reads `[2,"id","Action",{` without building anything. It says yes only to what decodeFrame reads alike, and no to whatever
 * is unusual, allowed or not: escapes, characters beyond ASCII, unknown actions, an id that is too long.
 * @param bytes with a 0 byte behind the frame @returns whether `found` was filled in
 */
export function scanEnvelope<Call>(
  bytes: Uint8Array,
  start: number,
  calls: CallsByName<Call>,
  found: Envelope<Call>,
): boolean {
  let at = start;
  if (bytes[at] !== OPEN_ARRAY) at = skipSpace(bytes, at);
  if (bytes[at] !== OPEN_ARRAY) return false;
  if (bytes[++at] !== TWO) at = skipSpace(bytes, at);
  if (bytes[at] !== TWO) return false;
  if (bytes[++at] !== COMMA) at = skipSpace(bytes, at);
  if (bytes[at] !== COMMA) return false;
  if (bytes[++at] !== QUOTE) at = skipSpace(bytes, at);
  if (bytes[at] !== QUOTE) return false;

  const idAt = ++at;
  at = endOfText(bytes, at);
  if (at < 0 || at === idAt || at - idAt > MAX_MESSAGE_ID) return false;
  const idEnd = at;
  if (bytes[++at] !== COMMA) at = skipSpace(bytes, at);
  if (bytes[at] !== COMMA) return false;
  if (bytes[++at] !== QUOTE) at = skipSpace(bytes, at);
  if (bytes[at] !== QUOTE) return false;

  const nameAt = ++at;
  at = endOfText(bytes, at);
  if (at < 0) return false;
  const known = calls.get(keyOf(bytes, nameAt, at));
  if (known === undefined || !isName(bytes, nameAt, at, known.name)) return false;
  if (bytes[++at] !== COMMA) at = skipSpace(bytes, at);
  if (bytes[at] !== COMMA) return false;
  if (bytes[++at] !== OPEN_OBJECT) at = skipSpace(bytes, at);
  if (bytes[at] !== OPEN_OBJECT) return false;

  found.idAt = idAt;
  found.idEnd = idEnd;
  found.call = known.call;
  found.payloadAt = at;
  return true;
}

/** Whether nothing but the array's end stands between the payload and the end of the frame. */
export function closesEnvelope(bytes: Uint8Array, payloadEnd: number, end: number): boolean {
  let at = payloadEnd;
  if (bytes[at] !== CLOSE_ARRAY) at = skipSpace(bytes, at);
  if (bytes[at] !== CLOSE_ARRAY || at >= end) return false;
  return at + 1 === end || skipSpace(bytes, at + 1) === end;
}

/** The 0 byte behind the frame is no space. */
function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) return at;
    at += 1;
  }
}

/** The quote at the end of a text of plain ASCII; -1: there is none, or something else comes first. */
function endOfText(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte < SPACE || byte >= 0x7f || byte === BACKSLASH) return -1;
    at += 1;
  }
}

/** Tells the names of one version's actions apart: their lengths, first bytes and two from the inside. Small, so it is no double. */
function keyOf(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at;
  const middle = bytes[at + (length >> 1)] as number;
  return (length << 22) ^ ((bytes[at] as number) << 14) ^ (middle << 7) ^ (bytes[end - 3] as number);
}

function isName(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (end - at !== name.length) return false;
  for (let index = 0; index < name.length; index++) if (bytes[at + index] !== name[index]) return false;
  return true;
}
