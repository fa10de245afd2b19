import { expect, test } from "vitest";
import { showProgress } from "./progress.ts";

function play(isTTY: boolean, columns = 200) {
  const written: string[] = [];
  let atMs = 0;
  const screen = { isTTY, columns, write: (text: string) => written.push(text) };
  const progress = showProgress({ total: 20_000, what: "charge points imported" }, screen, () => atMs);
  for (let done = 1_000; done <= 20_000; done += 1_000) {
    atMs += 250;
    progress.at(done);
  }
  progress.end();
  return written;
}

test("where there is no terminal a line comes with each tenth of the way, and one at the end", () => {
  const lines = play(false);
  expect(lines).toHaveLength(10);
  expect(lines[0]).toBe("2,000 of 20,000 charge points imported, 4,000/s, 5 s left\n");
  expect(lines.at(-1)).toBe("20,000 of 20,000 charge points imported, 4,000/s\n");
});

test("on a terminal one line is drawn over and over, and left at the end", () => {
  const drawn = play(true);
  expect(drawn.slice(0, -1).every((text) => text.startsWith("\r["))).toBe(true);
  expect(drawn[9]).toContain(`[${"#".repeat(15)}${".".repeat(15)}] 10,000 of 20,000`);
  expect(drawn.at(-1)).toBe("\n");
  expect(play(true, 40).every((text) => text.length <= 40)).toBe(true);
});

test("what stops before its end says how far it came", () => {
  const written: string[] = [];
  const progress = showProgress({ total: 100, what: "done" }, { write: (text) => written.push(text) }, () => 0);
  progress.at(3);
  progress.end();
  expect(written).toEqual(["3 of 100 done, 0/s\n"]);
});
