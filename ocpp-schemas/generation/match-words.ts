/**
 * Code that finds out which of the words stands in quotes at `p`, byte by byte: a switch where words part, comparisons where
 * they do not. It runs on behind itself when none of them does.
 * @param words of ASCII that JSON writes as it is; others are a fault of the caller: thrown
 * @param found the code for a word that was recognised; it must leave
 */
export function matchWords(words: readonly string[], found: (word: string) => string): string {
  for (const word of words)
    if (!/^[\x20-\x7e]+$/.test(word) || /["\\]/.test(word)) throw new Error(`no plain word: ${word}`);
  // With its closing quote no word is the beginning of another.
  return match([...new Set(words)].sort(), 0, found);
}

const spelled = (word: string): string => `${word}"`;

function match(words: readonly string[], from: number, found: (word: string) => string): string {
  const [first, ...others] = words;
  if (first === undefined) return "";
  const ending = spelled(first);
  let to = from;
  while (to < ending.length && others.every((word) => spelled(word)[to] === ending[to])) to++;
  const common = Array.from({ length: to - from }, (_, i) => `${byteAt(from + i)} === ${ending.charCodeAt(from + i)}`);
  const then = others.length === 0 ? found(first) : branches(words, to, found);
  return common.length === 0 ? then : `if (${common.join(" && ")}) {\n${then}\n}`;
}

function branches(words: readonly string[], at: number, found: (word: string) => string): string {
  const byNext = Map.groupBy(words, (word) => spelled(word).charCodeAt(at));
  const cases = [...byNext].map(([byte, those]) => `case ${byte}:\n${match(those, at + 1, found)}\nbreak;`);
  return `switch (${byteAt(at)}) {\n${cases.join("\n")}\n}`;
}

/** Behind the opening quote. */
const byteAt = (index: number): string => `b[p + ${index + 1}]`;
