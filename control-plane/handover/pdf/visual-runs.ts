import bidiFactory from "bidi-js";
import type { FontChain, FontRun } from "./font-chain.ts";
import type { LoadedSlice } from "./font-files.ts";

// The package is CommonJS: its default export is the function to Node, and a module to the compiler.
const bidi = (bidiFactory as unknown as typeof bidiFactory.default)();

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
const words = new Intl.Segmenter("und", { granularity: "word" });

const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
/** Marks and overrides of direction: they have done their work when the levels are known. */
const DIRECTION_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

interface LogicalRun extends FontRun {
  level: number;
}

/** One paragraph's text with what the Unicode Bidirectional Algorithm (UAX #9) says of it. */
export interface Paragraph {
  text: string;
  rightToLeft: boolean;
  levels: Uint8Array;
  mirrored: Map<number, string>;
}

/** Embeddings, overrides and isolates: with them a text could be shown reversed, on a document that is signed. */
const EXPLICIT_DIRECTION = /[\u202a-\u202e\u2066-\u2069]/gu;

/** The paragraph as it is set: scripts keep their own direction, controls that would turn it round are left out. */
export function analyseParagraph(given: string): Paragraph {
  const text = given.replace(EXPLICIT_DIRECTION, "");
  const embedding = bidi.getEmbeddingLevels(text, "auto");
  return {
    text,
    rightToLeft: (embedding.paragraphs[0]?.level ?? 0) % 2 === 1,
    levels: embedding.levels,
    mirrored: bidi.getMirroredCharactersMap(text, embedding.levels),
  };
}

/** Where a line may end: after each of these pieces. A word keeps the spaces and punctuation that follow it. */
export function breakablePieces(text: string): { start: number; end: number }[] {
  const pieces: { start: number; end: number }[] = [];
  for (const { segment, index, isWordLike } of words.segment(text)) {
    const last = pieces.at(-1);
    // What opens (a bracket, a quote) goes with what follows, everything else with what is before.
    const opened = last !== undefined && /[\p{Ps}\p{Pi}]$/u.test(text.slice(last.start, last.end));
    const glued =
      last !== undefined &&
      (opened ||
        (!isWordLike && !/^[\p{Ps}\p{Pi}]/u.test(segment)) ||
        (!/[\s\p{Pd}\p{Po}]$/u.test(text.slice(last.start, last.end)) &&
          !/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u.test(
            segment,
          )));
    if (glued) last.end = index + segment.length;
    else pieces.push({ start: index, end: index + segment.length });
  }
  return pieces;
}

/** The runs of a part of a paragraph from left to right, as they are to be drawn. Characters without a glyph appear as `[U+1F600]`. */
export function visualRuns(paragraph: Paragraph, start: number, end: number, fonts: FontChain): FontRun[] {
  return reorder(logicalRuns(paragraph, start, end, fonts)).flatMap(({ text, slice, level }) => {
    const visible = text.replace(DIRECTION_CONTROLS, "");
    if (visible === "") return [];
    // Shaping turns runs of right-to-left scripts round by itself; one of punctuation alone has no script to tell.
    const neutral = level % 2 === 1 && !RIGHT_TO_LEFT.test(visible);
    return [
      {
        slice,
        text: neutral
          ? [...graphemes.segment(visible)]
              .map((part) => part.segment)
              .reverse()
              .join("")
          : visible,
      },
    ];
  });
}

function logicalRuns(
  { text, levels, mirrored }: Paragraph,
  start: number,
  end: number,
  fonts: FontChain,
): LogicalRun[] {
  const runs: LogicalRun[] = [];
  let before: LoadedSlice | undefined;
  for (const { segment, index } of graphemes.segment(text.slice(start, end))) {
    const at = start + index;
    const level = levels[at] ?? 0;
    for (const { text: part, slice } of drawable(mirrored.get(at) ?? segment, before, fonts)) {
      const last = runs.at(-1);
      if (last !== undefined && last.slice === slice && last.level === level) last.text += part;
      else runs.push({ text: part, slice, level });
      before = slice;
    }
  }
  return runs;
}

/** A grapheme in the font that has all of it; else its characters one by one; else their numbers. */
function* drawable(grapheme: string, before: LoadedSlice | undefined, fonts: FontChain): Generator<FontRun> {
  const whole = fonts.fontFor(grapheme, before);
  if (whole !== undefined) return yield { text: withoutMissing(grapheme, whole), slice: whole };
  for (const character of grapheme) {
    const slice = fonts.fontFor(character, before);
    const written = `[U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}]`;
    if (slice !== undefined) yield { text: withoutMissing(character, slice), slice };
    else for (const letter of written) yield { text: letter, slice: fonts.fontFor(letter, undefined) as LoadedSlice };
  }
}

/** Joiners and selectors that the font does not know would show as boxes. */
const withoutMissing = (text: string, { font }: LoadedSlice) =>
  Array.from(text)
    .filter((character) => font.hasGlyphForCodePoint(character.codePointAt(0) as number))
    .join("");

/** UAX #9, L2: from the highest level down, every stretch of that level or above is turned round. */
function reorder(runs: LogicalRun[]): LogicalRun[] {
  const ordered = [...runs];
  const highest = Math.max(0, ...runs.map((run) => run.level));
  for (let level = highest; level > 0; level--) {
    for (let from = 0; from < ordered.length; from++) {
      if ((ordered[from] as LogicalRun).level < level) continue;
      let to = from;
      while (to + 1 < ordered.length && (ordered[to + 1] as LogicalRun).level >= level) to++;
      ordered.splice(from, to - from + 1, ...ordered.slice(from, to + 1).reverse());
      from = to;
    }
  }
  return ordered;
}
