import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { conformancePage } from "./conformance-page.ts";
import { RULES } from "./rules.ts";
import { readAdrMentions, readTestTitles, titlesIn } from "./test-titles.ts";

const ids = RULES.map(({ id }) => id);

test("every rule has its words, and is there once", () => {
  expect(RULES.filter(({ rule }) => rule === "")).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

test("every rule has a test that is named after it, or a decision record that says why not", () => {
  const shown = new Set(readTestTitles().flatMap((title) => title.ids));
  const explained = readAdrMentions(ids);
  expect(ids.filter((id) => !shown.has(id) && !explained.has(id))).toEqual([]);
});

test("tests name rules that exist", () => {
  const known = new Set(ids);
  const unknown = readTestTitles().filter((title) => title.ids.some((id) => !known.has(id)));
  expect(unknown.map(({ file, title }) => `${file}: ${title}`)).toEqual([]);
});

test("titles are found in every way in which a test can be written", () => {
  // Written with another bracket: this file is read as well, and none of these is a test.
  const bracketed = (text: string) => text.replaceAll("<", "[");
  const lines = [
    'test("<H1] plain", () => {});',
    "test.each([1, 2])('<H2] <H3] each %s', () => {});",
    "test.each(VERSIONS.map((v) => [v, f(g(v))]))(\n  `<1.6-start] \\`quoted\\` over\n   lines ${1}`,\n  () => {},\n);",
    'describe("<C1] a block", () => {});',
    'test("no rule <H9]", () => {});',
  ];
  expect(titlesIn(bracketed(lines.join("\n")))).toEqual([
    { ids: ["H1"], title: bracketed("<H1] plain") },
    { ids: ["H2", "H3"], title: bracketed("<H2] <H3] each %s") },
    { ids: ["1.6-start"], title: bracketed("<1.6-start] `quoted` over lines ${1}") },
    { ids: ["C1"], title: bracketed("<C1] a block") },
  ]);
  const own = readFileSync(join(FOLDERS.root, "local", "conformance", "rules.test.ts"), "utf8");
  expect(titlesIn(own)).toEqual([]);
});

test("docs/conformance.md is up to date: npm run generate:documents", () => {
  expect(readFileSync(join(FOLDERS.root, "docs", "conformance.md"), "utf8")).toBe(conformancePage());
});
