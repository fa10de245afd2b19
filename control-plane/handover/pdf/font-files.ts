import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { create as openFont, type Font, type GlyphRun } from "fontkit";
import decompress from "woff2-encoder/decompress";

const require = createRequire(import.meta.url);

/**
 * The Noto Sans families, in the order in which a character looks for its glyph. Each package holds the font in slices by
 * Unicode range, so that a certificate reads and embeds only what its texts need.
 */
const FAMILIES = [
  "noto-sans",
  "noto-sans-arabic",
  "noto-sans-hebrew",
  "noto-sans-devanagari",
  "noto-sans-thai",
  "noto-sans-armenian",
  "noto-sans-georgian",
  "noto-sans-bengali",
  "noto-sans-tamil",
  "noto-sans-telugu",
  "noto-sans-gujarati",
  "noto-sans-gurmukhi",
  "noto-sans-kannada",
  "noto-sans-malayalam",
  "noto-sans-sinhala",
  "noto-sans-khmer",
  "noto-sans-lao",
  "noto-sans-myanmar",
  "noto-sans-ethiopic",
  "noto-sans-sc", // Han and Kana
  "noto-sans-kr", // Hangul
] as const;

export interface Slice {
  /** Unique: what the font is registered as in a document. */
  key: string;
  path: string;
  ranges: [from: number, to: number][];
}

export interface LoadedSlice {
  key: string;
  font: Font;
  /** What is missing to a regular weight, as stroke width in em: the default of some variable fonts is a thin one. */
  strokeEm: number;
}

let known: Slice[] | undefined;
const loading = new Map<string, Promise<LoadedSlice>>();

/** Every slice of every family, in the order of FAMILIES. Reads the packages' range tables, once. */
export function fontSlices(): readonly Slice[] {
  known ??= FAMILIES.flatMap(slicesOf);
  return known;
}

function slicesOf(family: string): Slice[] {
  const tablePath = require.resolve(`@fontsource-variable/${family}/unicode.json`);
  const table = JSON.parse(readFileSync(tablePath, "utf8")) as Record<string, string>;
  return Object.entries(table).map(([name, ranges]) => {
    const file = `${family}-${name.replace(/[[\]]/g, "")}-wght-normal.woff2`;
    return {
      key: file,
      path: tablePath.replace(/unicode\.json$/, `files/${file}`),
      ranges: ranges.split(",").map(parseRange),
    };
  });
}

/** `U+0-FF`, `U+131`. */
function parseRange(text: string): [number, number] {
  const [from = "", to = from] = text.trim().slice("U+".length).split("-");
  return [Number.parseInt(from, 16), Number.parseInt(to, 16)];
}

/** Reads a slice, once per process. */
export function loadSlice(slice: Slice): Promise<LoadedSlice> {
  const pending = loading.get(slice.key) ?? openSlice(slice);
  loading.set(slice.key, pending);
  // A file that could not be read once may be readable later.
  pending.catch(() => loading.delete(slice.key));
  return pending;
}

async function openSlice({ key, path }: Slice): Promise<LoadedSlice> {
  // Decompressed here, because fontkit cannot make subsets of WOFF2 as it is.
  const font = withForgivingLayout(openFont(Buffer.from(await decompress(await readFile(path)))) as Font);
  const defaultWeight = font.variationAxes["wght"]?.default ?? 400;
  return { key, font, strokeEm: defaultWeight < 400 ? 0.035 : 0 };
}

/**
 * fontkit throws at some valid fonts and some odd texts (a mark without an anchor in Gurmukhi, for one). Nobody's name may
 * stop a handover: such a run is shaped without placing marks, or, if that fails as well, not shaped at all.
 */
function withForgivingLayout(font: Font): Font {
  const shape = font.layout.bind(font);
  font.layout = (text, ...rest) => {
    try {
      return shape(text, ...rest);
    } catch {
      try {
        return shape(text, { mark: false, mkmk: false, abvm: false, blwm: false });
      } catch {
        return unshaped(font, text);
      }
    }
  };
  return font;
}

function unshaped(font: Font, text: string): GlyphRun {
  const glyphs = font.glyphsForString(text);
  const positions = glyphs.map(({ advanceWidth }) => ({ xAdvance: advanceWidth, yAdvance: 0, xOffset: 0, yOffset: 0 }));
  // The members that PDFKit reads.
  return { glyphs, positions, advanceWidth: glyphs.reduce((sum, glyph) => sum + glyph.advanceWidth, 0) } as GlyphRun;
}
