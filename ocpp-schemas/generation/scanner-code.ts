import { matchWords } from "./match-words.ts";

/** A function that reads a value at `p`, and what it is told besides: `text(b, p, 20)`. */
export interface Reader {
  name: string;
  limits: readonly number[];
}

// White space is looked for in place, because nearly always there is none: calls for it were a tenth of a MeterValues.
const PAST_SPACE = "if (b[++p] <= 32) p = skip(b, p);";
const TO_NEXT = "if (b[p] <= 32) p = skip(b, p);";

/** Fields that have a bit each in one number, as V8 keeps small integers. */
const BITS = 30;

const read = ({ name, limits }: Reader): string => `p = ${name}(${["b", "p", ...limits].join(", ")});`;

/** The body of a function that reads one of the words, in quotes. */
export function wordCode(words: readonly string[]): string {
  return `if (b[p] !== 34) return -1;
${matchWords(words, (word) => `return p + ${word.length + 2};`)}
return -1;`;
}

/** The body of a function that reads so many of what `item` reads, in brackets. */
export function listCode(item: Reader, minItems: number, maxItems: number): string {
  return `if (b[p] !== 91) return -1;
${PAST_SPACE}
if (b[p] === 93) return ${minItems > 0 ? "-1" : "p + 1"};
for (let count = 1; count <= ${maxItems}; count++) {
  ${read(item)}
  if (p < 0) return -1;
  ${TO_NEXT}
  if (b[p] === 93) return ${minItems > 1 ? `count < ${minItems} ? -1 : p + 1` : "p + 1"};
  if (b[p] !== 44) return -1;
  ${PAST_SPACE}
}
return -1;`;
}

/** The body of a function that reads an object of these fields, in any order, none of them twice and no others. */
export function objectCode(fields: ReadonlyMap<string, Reader>, required: readonly string[]): string {
  const names = [...fields.keys()];
  if (names.length === 0) return `if (b[p] !== 123) return -1;\n${PAST_SPACE}\nreturn b[p] === 125 ? p + 1 : -1;`;
  const seenIn = (index: number) => ({ word: `seen${Math.floor(index / BITS)}`, bit: 1 << (index % BITS) });
  const words = [...new Set(names.map((_, index) => seenIn(index).word))];
  const complete = words.flatMap((word) => {
    const needed = names
      .map((name, index) => ({ name, ...seenIn(index) }))
      .reduce((bits, one) => (one.word === word && required.includes(one.name) ? bits | one.bit : bits), 0);
    return needed === 0 ? [] : [`(${word} & ${needed}) === ${needed}`];
  });
  const recognised = (name: string): string => {
    const index = names.indexOf(name);
    const { word, bit } = seenIn(index);
    return `if (${word} & ${bit}) return -1;
${word} |= ${bit};
field = ${index};
p += ${name.length + 2};
break recognised;`;
  };
  return `if (b[p] !== 123) return -1;
let ${words.map((word) => `${word} = 0`).join(", ")};
let field = 0;
${PAST_SPACE}
if (b[p] === 125) return ${complete.length === 0 ? "p + 1" : "-1"};
for (;;) {
  if (b[p] !== 34) return -1;
  recognised: {
    ${matchWords(names, recognised)}
    return -1;
  }
  if (b[p] === 58 && b[p + 1] > 32) p++;
  else {
    p = colon(b, p);
    if (p < 0) return -1;
  }
  switch (field) {
    ${[...fields.values()].map((reader, index) => `case ${index}: ${read(reader)} break;`).join("\n")}
  }
  if (p < 0) return -1;
  ${TO_NEXT}
  if (b[p] === 125) return ${complete.length === 0 ? "p + 1" : `${complete.join(" && ")} ? p + 1 : -1`};
  if (b[p] !== 44) return -1;
  ${PAST_SPACE}
}`;
}
