import { fontSlices, loadSlice, type LoadedSlice, type Slice } from "./font-files.ts";

/** Text that one font can draw, as part of a longer one. */
export interface FontRun {
  text: string;
  slice: LoadedSlice;
}

export interface FontChain {
  /** The font for a grapheme (a character with its marks); undefined when no font has it all. `before`: that of the grapheme before it. */
  fontFor(grapheme: string, before: LoadedSlice | undefined): LoadedSlice | undefined;
}

/** Invisible by definition (joiners, direction marks, variation selectors): without a glyph there is nothing to draw. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;
/** Spaces, digits, punctuation: taken from the font around them, so that a run is not cut at each. */
const COMMON = /^[\p{Script=Common}\p{Script=Inherited}]+$/u;

/** Loads the fonts that these texts need. Characters of other texts may then be missing. */
export async function loadFontChain(texts: Iterable<string>): Promise<FontChain> {
  const wanted = new Set<string>();
  for (const text of texts) for (const character of text) wanted.add(character);
  // Latin and the digits always: what is missing is written out with them.
  for (const character of "U+0123456789ABCDEF[]") wanted.add(character);
  const slices = fontSlices().filter((slice) =>
    [...wanted].some((character) => inRanges(slice, character.codePointAt(0) as number)),
  );
  const loaded = await Promise.all(slices.map(loadSlice));

  const has = ({ font }: LoadedSlice, grapheme: string) =>
    Array.from(grapheme).every(
      (character) => font.hasGlyphForCodePoint(character.codePointAt(0) as number) || IGNORABLE.test(character),
    );
  return {
    fontFor(grapheme, before) {
      if (before !== undefined && COMMON.test(grapheme) && has(before, grapheme)) return before;
      return loaded.find((slice) => has(slice, grapheme));
    },
  };
}

const inRanges = ({ ranges }: Slice, codePoint: number) =>
  ranges.some(([from, to]) => codePoint >= from && codePoint <= to);
