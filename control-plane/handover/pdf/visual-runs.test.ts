import { expect, test } from "vitest";
import { loadFontChain } from "./font-chain.ts";
import { analyseParagraph, breakablePieces, visualRuns } from "./visual-runs.ts";

async function runsOf(text: string) {
  const runs = visualRuns(analyseParagraph(text), 0, text.length, await loadFontChain([text]));
  return runs.map(({ text: part, slice }) => [slice.key.replace(/^noto-sans-(.+)-wght-normal.woff2$/, "$1"), part]);
}

test("a font is chosen for each script, and spaces stay with the script before them", async () => {
  expect(await runsOf("Park — Олена")).toEqual([
    ["latin", "Park — "],
    ["cyrillic", "Олена"],
  ]);
});

test("right-to-left text inside left-to-right text keeps its place, and its words their order for shaping", async () => {
  const runs = await runsOf("ab שלום עולם cd");
  expect(runs.map(([, text]) => text).join("")).toBe("ab שלום עולם cd");
  expect(runs).toContainEqual(["hebrew-hebrew", "שלום עולם"]);
});

test("left-to-right text inside a right-to-left paragraph stands at its left", async () => {
  const runs = await runsOf("שלום abc");
  expect(runs.map(([, text]) => text?.trim())).toEqual(["abc", "שלום"]);
  expect(analyseParagraph("שלום abc").rightToLeft).toBe(true);
  expect(analyseParagraph("abc שלום").rightToLeft).toBe(false);
});

test("brackets around right-to-left text are mirrored: what opens stands at its right and opens to the left", async () => {
  // Three runs from left to right. The bracket that ends the text is drawn first, as an opening one.
  expect((await runsOf("(שלום")).map(([, part]) => part)).toEqual(["שלום", ")"]);
  expect((await runsOf("(שלום)")).map(([, part]) => part)).toEqual(["(", "שלום", ")"]);
});

test("a mark stays in the font of its letter", async () => {
  expect(await runsOf("e\u0301")).toEqual([["latin", "e\u0301"]]);
});

test("what no font has is written out instead of vanishing", async () => {
  expect((await runsOf("a😀b")).map(([, part]) => part).join("")).toBe("a[U+1F600]b");
});

test.each(["\u202eabc", "\u2066a\u2069", "\ufeff", "\u200f"])("direction marks draw nothing: %j", async (text) => {
  expect((await runsOf(text)).map(([, part]) => part).join("")).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/);
});

test("every name of every script that the fonts know can be laid out", async () => {
  const text =
    "Հայերեն ქართული বাংলা தமிழ் తెలుగు ગુજરાતી ਪੰਜਾਬੀ ಕನ್ನಡ മലയാളം සිංහල ខ្មែរ ລາວ မြန်မာ አማርኛ 张伟 田中さくら 김철수 สวัสดี Nguyễn Ελένη محمد";
  const runs = visualRuns(analyseParagraph(text), 0, text.length, await loadFontChain([text]));
  expect(runs.map((run) => run.text).join("")).not.toContain("[U+");
  for (const run of runs) expect(run.slice.font.layout(run.text, []).glyphs.length).toBeGreaterThan(0);
});

test("lines break between words, after dashes, and between Han characters, never before punctuation", () => {
  const pieces = (text: string) => breakablePieces(text).map(({ start, end }) => text.slice(start, end));
  expect(pieces("Bay 3 (left) done.")).toEqual(["Bay ", "3 ", "(left) ", "done."]);
  expect(pieces("SN-ABX-1")).toEqual(["SN-", "ABX-", "1"]);
  expect(pieces("田中さくら。").length).toBeGreaterThan(1);
  expect(pieces("")).toEqual([]);
});

test("an override cannot show a text reversed", () => {
  expect(analyseParagraph("SN-\u202elive\u202c-7").text).toBe("SN-live-7");
});
