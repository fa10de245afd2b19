import { expect, test } from "vitest";
import { FairRoom } from "./fair-room.ts";

/** How many places the source gets, asking until it is refused. */
function fill(room: FairRoom, source: string): number {
  for (let got = 0; ; got++) if (!room.enter(source)) return got;
}

test("one source alone gets nearly all, and the next one still finds room", () => {
  const room = new FairRoom(900);
  expect(fill(room, "a")).toBe(800);
  expect(fill(room, "b")).toBeGreaterThan(80);
  expect(room.size).toBeLessThanOrEqual(900);
});

test("a source that was there first and stays full does not keep a hundred others out", () => {
  const room = new FairRoom(2_000);
  fill(room, "flood");
  for (let n = 0; n < 100; n++) expect(room.enter(`station ${n}`)).toBe(true);
});

test("full is full, and what is left can be taken again", () => {
  const room = new FairRoom(16);
  for (let n = 0; n < 16; n++) expect(room.enter(`source ${n}`)).toBe(true);
  expect(room.enter("one more")).toBe(false);
  room.leave("source 3");
  expect(room.enter("one more")).toBe(true);
});

test("[B11] nothing is kept of a source that has nothing", () => {
  const room = new FairRoom(10);
  for (let n = 0; n < 1_000; n++) {
    room.enter(`source ${n}`);
    room.leave(`source ${n}`);
  }
  expect([room.size, room.sources]).toEqual([0, 0]);
});
