import { expect, test } from "vitest";
import { Absence } from "./absence.ts";

test("the longest absence is kept, and the most that one took beyond the station's own back-off", () => {
  const absence = new Absence();
  expect(absence.end(500)).toBeUndefined(); // its first connection
  absence.begin(1_000);
  absence.noteBackOff(0.9);
  expect(absence.end(1_920)).toBe(920);
  absence.begin(5_000);
  absence.noteBackOff(0.1);
  absence.noteRefusal();
  absence.noteBackOff(0.2);
  expect(absence.end(5_400)).toBe(400);
  expect(absence.told()).toEqual({ times: 2, refused: 1, longestMs: 920, mostOverMs: 100 });
});

test("refusals before the first connection are no absence", () => {
  const absence = new Absence();
  absence.noteRefusal();
  absence.noteBackOff(30);
  expect(absence.end(40_000)).toBeUndefined();
  expect(absence.told()).toEqual({ times: 0, refused: 0, longestMs: 0, mostOverMs: 0 });
});
