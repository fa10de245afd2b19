// What every compiled scanner is made of; bundled into each generated scanners-*.js. All of them take the frame's bytes and the
// place to begin at, and return the place behind what they read, or -1 where they cannot be sure that it is valid. A byte that
// none of them takes, 0, stands behind the frame: nobody has to compare with its length. They read one byte after the other,
// and never one behind a byte that they did not take.

// One by one, so that the bundler writes them as numbers.
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** Bytes that stand for themselves in a JSON text, one character each: ASCII without `"`, `\` and control characters. */
const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80);
PLAIN[QUOTE] = 0;
PLAIN[0x5c] = 0;

/** More than any frame has, and a small integer for V8. */
const ANY_LENGTH = 0x3fff_ffff;

/** So many digits are exact in a double, and more are not needed to be sure of. */
const MAX_DIGITS = 15;

/** To the next byte that is no white space. Never -1. */
export function skip(b: Uint8Array, p: number): number {
  while (b[p] === SPACE || b[p] === LF || b[p] === CR || b[p] === TAB) p++;
  return p;
}

/** From behind a field's name to its value. */
export function colon(b: Uint8Array, p: number): number {
  const at = skip(b, p);
  return b[at] === COLON ? skip(b, at + 1) : -1;
}

/** A string of ASCII without escapes: of so many bytes, so many characters. */
export function text(b: Uint8Array, p: number, maxLength: number): number {
  if (b[p] !== QUOTE) return -1;
  const from = p + 1;
  do p++;
  while (PLAIN[b[p] ?? 0] === 1);
  return b[p] === QUOTE && p - from <= maxLength ? p + 1 : -1;
}

/** The same, however long. */
export function anyText(b: Uint8Array, p: number): number {
  return text(b, p, ANY_LENGTH);
}

export function boolean(b: Uint8Array, p: number): number {
  if (b[p] === 0x74) return b[p + 1] === 0x72 && b[p + 2] === 0x75 && b[p + 3] === 0x65 ? p + 4 : -1;
  return b[p] === 0x66 && b[p + 1] === 0x61 && b[p + 2] === 0x6c && b[p + 3] === 0x73 && b[p + 4] === 0x65 ? p + 5 : -1;
}

/** Digits without leading zeros. What follows them is the caller's: neither a digit nor a dot nor an exponent may follow. */
function digits(b: Uint8Array, p: number): number {
  const first = b[p] ?? 0;
  if (first === ZERO) return p + 1;
  if (first < ONE || first > NINE) return -1;
  const from = p;
  do p++;
  while (isDigit(b[p] ?? 0));
  return p - from <= MAX_DIGITS ? p : -1;
}

function isDigit(c: number): boolean {
  return c >= ZERO && c <= NINE;
}

export function integer(b: Uint8Array, p: number): number {
  return digits(b, b[p] === MINUS ? p + 1 : p);
}

/** @param min @param max whole numbers, both allowed */
export function integerWithin(b: Uint8Array, p: number, min: number, max: number): number {
  const end = integer(b, p);
  return end >= 0 && isWithin(b, p, end, 0, min, max) ? end : -1;
}

/** Without an exponent. */
export function number(b: Uint8Array, p: number): number {
  const end = integer(b, p);
  return end >= 0 && b[end] === DOT ? fraction(b, end + 1) : end;
}

/** @param min @param max whole numbers, both allowed */
export function numberWithin(b: Uint8Array, p: number, min: number, max: number): number {
  const whole = integer(b, p);
  if (whole < 0) return -1;
  const end = b[whole] === DOT ? fraction(b, whole + 1) : whole;
  // However many digits the fraction has, rounded they are at most one more.
  return end >= 0 && isWithin(b, p, whole, end === whole ? 0 : 1, min, max) ? end : -1;
}

function fraction(b: Uint8Array, p: number): number {
  if (!isDigit(b[p] ?? 0)) return -1;
  do p++;
  while (isDigit(b[p] ?? 0));
  return p;
}

/** Whether all from the number of these digits to `more` further from zero lies within the limits. */
function isWithin(b: Uint8Array, p: number, end: number, more: number, min: number, max: number): boolean {
  const negative = b[p] === MINUS;
  let size = 0;
  for (let i = negative ? p + 1 : p; i < end; i++) size = size * 10 + (b[i] ?? 0) - ZERO;
  return negative ? -size - more >= min && -size <= max : size >= min && size + more <= max;
}

/** The value of two digits, or -1. */
function pair(b: Uint8Array, p: number): number {
  const tens = (b[p] ?? 0) - ZERO;
  if (tens < 0 || tens > 9) return -1;
  const ones = (b[p + 1] ?? 0) - ZERO;
  return ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

const DAYS = Uint8Array.of(0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31);

/**
 * The usual spelling of a time (RFC 3339 §5.6): `T` and `Z` in capitals, or an offset with a colon; at most nine digits of a
 * second, since a double would round more of them up to the next minute; no leap second.
 */
export function dateTime(b: Uint8Array, p: number): number {
  if (b[p] !== QUOTE) return -1;
  const century = pair(b, p + 1);
  if (century < 0) return -1;
  const year = pair(b, p + 3);
  if (year < 0 || b[p + 5] !== MINUS) return -1;
  const month = pair(b, p + 6);
  if (month < 1 || month > 12 || b[p + 8] !== MINUS) return -1;
  const day = pair(b, p + 9);
  if (day < 1 || (day > 28 && day > daysOf(century, year, month)) || b[p + 11] !== LETTER_T) return -1;
  const hour = pair(b, p + 12);
  if (hour < 0 || hour > 23 || b[p + 14] !== COLON) return -1;
  const minute = pair(b, p + 15);
  if (minute < 0 || minute > 59 || b[p + 17] !== COLON) return -1;
  const second = pair(b, p + 18);
  if (second < 0 || second > 59) return -1;
  p += 20;
  if (b[p] === DOT) {
    const from = p;
    p = fraction(b, p + 1);
    if (p < 0 || p - from > 10) return -1;
  }
  if (b[p] === LETTER_Z) return b[p + 1] === QUOTE ? p + 2 : -1;
  return offset(b, p);
}

function daysOf(century: number, year: number, month: number): number {
  const isLeap = month === 2 && year % 4 === 0 && (year !== 0 || century % 4 === 0);
  return isLeap ? 29 : (DAYS[month] ?? 0);
}

function offset(b: Uint8Array, p: number): number {
  if (b[p] !== PLUS && b[p] !== MINUS) return -1;
  const hours = pair(b, p + 1);
  if (hours < 0 || hours > 23 || b[p + 3] !== COLON) return -1;
  const minutes = pair(b, p + 4);
  return minutes >= 0 && minutes <= 59 && b[p + 6] === QUOTE ? p + 7 : -1;
}
