import type { Chance } from "./chance.ts";

/** Numbers at the edges of what schemas allow, of what JSON allows, and of what a double holds. */
const NUMBERS = [
  ..."-0 0 00 01 -01 -1 1 1. .5 1.0 1.5 0.1 0.35 1e2 1E400 -1e-7 +1 - 0x1 3 4 3.5 100 100.0 100.5 101 -0.5".split(" "),
  ..."99.99999999999999999999 9007199254740993 999999999999999 1000000000000000 1e15 1.e1 1.5e NaN Infinity".split(" "),
];

/** Times that exist, times that do not, and spellings of them. */
const TIMES = [
  "2026-02-29T12:00:00Z",
  "1900-02-29T12:00:00Z",
  "2000-02-29T12:00:00Z",
  "2024-02-30T12:00:00Z",
  "2026-04-31T12:00:00Z",
  "2026-00-10T12:00:00Z",
  "2026-13-10T12:00:00Z",
  "2026-01-00T12:00:00Z",
  "2026-01-32T12:00:00Z",
  "2026-01-31T24:00:00Z",
  "2026-01-31T12:60:00Z",
  "2026-01-31T12:00:60Z",
  "2026-01-31T23:59:60Z",
  "2026-01-31T23:59:61Z",
  "2026-01-31T12:00:59.99999999999999999Z",
  "2026-01-31T12:00:59.999999999Z",
  "2026-01-31T12:00:00.Z",
  "2026-01-31T12:00:00.1.2Z",
  "2026-01-31T12:00:00",
  "2026-01-31",
  "2026-01-31 12:00:00Z",
  "2026-01-31t12:00:00z",
  "2026-01-31T12:00:00+0200",
  "2026-01-31T12:00:00+02",
  "2026-01-31T12:00:00+24:00",
  "2026-01-31T12:00:00-02:60",
  "2026-01-31T12:00:00Z+02:00",
  "2026-1-31T12:00:00Z",
  "02026-01-31T12:00:00Z",
].map((text) => `"${text}"`);

/** What else is put in place of a token: what JSON.parse and we could read differently. */
const REPLACEMENTS = [
  ...NUMBERS,
  ...TIMES,
  ...'true false tru nul null {} [] {{ [[ }} ]] , : " "" "\\u0041" "\\" "é" "__proto__" "constructor"'.split(" "),
  '"\u0000"',
  '"a\nb"',
  '"customData"',
  '{"vendorId":"v"}',
  '{"vendorId":"v","more":[1]}',
  '{"vendorId":"v","vendorId":7}',
  "2026-01-31T12:00:00Z",
];

/** Of white space JSON knows four; the others are mistakes. */
const SPACES = [" ", "\n", "\r", "\t", "  ", "\f", "\v", "\u00a0", "\ufeff", "\u0000"];
const BYTES = '"\\{}[]:,0129.-+eE \n\u0000\u001f\u007f\u0080\u00e9\u00ffTZtfnx/'.split("");
const TOKEN = /"[^"]*"|[-+.0-9eE]+|[a-z]+|[{}[\],:]|\s+/g;

type Damage = (text: string, chance: Chance) => string;

/** A place in the text, and one behind it, not far away. */
function span(text: string, chance: Chance): [from: number, to: number] {
  const from = chance.below(text.length + 1);
  return [from, Math.min(text.length, from + chance.pick([1, 1, 1, 2, 5, 30]))];
}

function put(text: string, from: number, to: number, what: string): string {
  return text.slice(0, from) + what + text.slice(to);
}

/** The text with one of its tokens made into something else. */
const atToken =
  (change: (token: string, tokens: string[], chance: Chance) => string): Damage =>
  (text, chance) => {
    const tokens: string[] = text.match(TOKEN) ?? [];
    if (tokens.length === 0) return text;
    const index = chance.below(tokens.length);
    return tokens.with(index, change(tokens[index] ?? "", tokens, chance)).join("");
  };

function atMatch(text: string, pattern: RegExp, chance: Chance, change: (matched: string) => string): string {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return text;
  const { index, 0: matched } = chance.pick(matches);
  return put(text, index, index + matched.length, change(matched));
}

const DAMAGES: readonly Damage[] = [
  (text, chance) => put(text, ...span(text, chance), ""),
  (text, chance) => put(text, ...span(text, chance), chance.pick(BYTES)),
  (text, chance) => {
    const [from] = span(text, chance);
    return put(text, from, from, chance.pick(BYTES));
  },
  (text, chance) => {
    const [from] = span(text, chance);
    return put(text, from, from + 1, String.fromCharCode((text.charCodeAt(from) || 0) ^ (1 << chance.below(8))));
  },
  (text, chance) => {
    const [from, to] = span(text, chance);
    return put(text, to, to, text.slice(from, to));
  },
  (text, chance) => text.slice(0, chance.below(text.length + 1)),
  (text, chance) => text + chance.pick(["}", "]", ",", "x", " ", "{}", text]),
  atToken((_token, _tokens, chance) => chance.pick(REPLACEMENTS)),
  (text, chance) => atMatch(text, /(?<=[:[,]\s*)-?\d[.\d]*/g, chance, () => chance.pick(NUMBERS)),
  (text, chance) => atMatch(text, /"\d{4}-[^"]*"/g, chance, () => chance.pick(TIMES)),
  atToken((_token, tokens, chance) => chance.pick(tokens)),
  atToken((token, _tokens, chance) => (chance.oneIn(2) ? "" : token + token)),
  atToken((token, _tokens, chance) => chance.pick(SPACES) + token + chance.pick(SPACES)),
  // At its longest a text gets too long by this, at its shortest too short.
  atToken((token) => (token.startsWith('"') ? `"x${token.slice(1)}` : token)),
  atToken((token) => (token.startsWith('"') && token.length > 2 ? `"${token.slice(2)}` : token)),
  atToken((token) => (/^-?\d/.test(token) ? `${token}0` : token)),
  atToken((token) => (/^\d/.test(token) ? `-${token}` : token)),
  atToken((token, _tokens, chance) =>
    chance.oneIn(5) ? "[".repeat(5_000) : chance.pick(["[", '{"a":']).repeat(20) + token,
  ),
  // A list with nothing in it, or with more of the same: an object without others in it is often a list's entry.
  (text, chance) => atMatch(text, /\[[^[\]]*\]/g, chance, () => "[]"),
  (text, chance) => atMatch(text, /\{[^{}]*\}/g, chance, (one) => Array(chance.between(2, 6)).fill(one).join(",")),
  // Two members of an object, or two entries of a list, change places or are there twice.
  (text, chance) => {
    const parts = text.split(",");
    const [one, other] = [chance.below(parts.length), chance.below(parts.length)];
    const [a = "", b = ""] = [parts[one], parts[other]];
    return (chance.oneIn(2) ? parts.with(one, b).with(other, a) : parts.toSpliced(one, 0, b)).join(",");
  },
  (text, chance) => {
    const parts = text.split(",");
    return parts.toSpliced(chance.below(parts.length), 1).join(",");
  },
];

/** The payload with one mistake or a few: mostly no longer valid, sometimes no longer JSON. Each character stands for a byte. */
export function damagedPayload(text: string, chance: Chance): string {
  let damaged = text;
  for (let left = chance.pick([1, 1, 1, 2, 3]); left > 0; left--) damaged = chance.pick(DAMAGES)(damaged, chance);
  return damaged;
}
