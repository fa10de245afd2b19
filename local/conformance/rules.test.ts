import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { cataloguePage } from "./catalogue-page.ts";
import { CATALOGUES } from "./catalogues.ts";
import { readAdrMentions, readPlayedFaults, readTestTitles, titlesIn } from "./test-titles.ts";

const rules = CATALOGUES.flatMap((catalogue) => catalogue.rules);
const ids = rules.map(({ id }) => id);
/** C of C13, 1 of 1.6-start: ids of a family that no catalogue has yet are left alone. */
const familyOf = (id: string) => id.slice(0, 1);

test("every rule has its words, and is there once", () => {
  expect(rules.filter(({ rule }) => rule === "")).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

test("every rule has a test that is named after it, or a decision record that says why not", () => {
  const shown = new Set([...readTestTitles().flatMap((title) => title.ids), ...readPlayedFaults().map(({ id }) => id)]);
  const explained = readAdrMentions(ids);
  expect(ids.filter((id) => !shown.has(id) && !explained.has(id))).toEqual([]);
});

test("tests name rules that exist", () => {
  const known = new Set(ids);
  const families = new Set(ids.map(familyOf));
  const isUnknown = (id: string) => families.has(familyOf(id)) && !known.has(id);
  const unknown = readTestTitles().filter((title) => title.ids.some(isUnknown));
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

test.each(CATALOGUES)("docs/$page is up to date: npm run generate:documents", (catalogue) => {
  expect(readFileSync(join(FOLDERS.root, "docs", catalogue.page), "utf8")).toBe(cataloguePage(catalogue));
});
