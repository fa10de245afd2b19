import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { betweenMarkers, writePerformancePage } from "./performance-page.ts";

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

test("what is published says of what, with what, and how it was measured", () => {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-performance-page-"));
  const page = join(folder, "page.md");
  try {
    writeFileSync(page, `# Performance\n${BEGIN}\n${END}\nFindings\n`);
    writePerformancePage(page, {
      rows: [{ what: "Heartbeat", figure: 0.93, unit: "×", target: { atLeast: 0.87 }, behind: "ours 6.2 µs" }],
      ...{
        command: "npm run bench",
        repetitions: 5,
        minutes: 18.3,
        machine: "2 × CPU",
        versions: "Node 24, commit abc",
      },
    });
    const written = readFileSync(page, "utf8");
    for (const told of [
      "| Heartbeat | 0.93 ×",
      "`npm run bench`",
      "medians of 5",
      "2 × CPU",
      "shared these cores",
      "abc",
    ])
      expect(written).toContain(told);
    expect(written.endsWith(`\n${END}\nFindings\n`)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
