import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { betweenMarkers } from "./performance-page.ts";

const BEGIN = "<!-- figures: written by npm run bench -->";
const END = "<!-- end of figures -->";

test("what stands between the markers is replaced, the rest of the page stays", () => {
  const page = `# Performance\n\n${BEGIN}\nold\n${END}\n\nFindings\n`;
  expect(betweenMarkers(page, "new")).toBe(`# Performance\n\n${BEGIN}\nnew\n${END}\n\nFindings\n`);
  expect(betweenMarkers(betweenMarkers(page, "new"), "old")).toBe(page);
});

test("a page without its markers, with one of them or with two pairs is not written", () => {
  for (const page of ["", `${BEGIN}\n`, `${END}\n${BEGIN}\n`, `${BEGIN}${END}${BEGIN}${END}`, `${BEGIN}${END}${END}`])
    expect(() => betweenMarkers(page, "new")).toThrow("once each");
});

test("the page of this repository has them", () => {
  const page = readFileSync(join(FOLDERS.root, "docs", "performance.md"), "utf8");
  expect(betweenMarkers(page, "new")).toContain(`${BEGIN}\nnew\n${END}`);
});
