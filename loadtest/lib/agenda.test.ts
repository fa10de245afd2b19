import { expect, test } from "vitest";
import { Agenda } from "./agenda.ts";

test("what is due runs in the order of its time, and of its coming where that is the same", () => {
  const agenda = new Agenda();
  const ran: number[] = [];
  const times = Array.from({ length: 500 }, (_, n) => (n * 7919) % 100);
  times.forEach((at, n) => agenda.after(at, () => ran.push(at * 1_000 + n)));
  agenda.advance(49);
  expect(ran.length).toBe(times.filter((at) => at <= 49).length);
  agenda.advance(51);
  expect(ran).toEqual(ran.toSorted((a, b) => a - b));
  expect(ran.length).toBe(500);
  expect(agenda.size).toBe(0);
});

test("what something that is due puts down for now runs in the same turn", () => {
  const agenda = new Agenda();
  const ran: string[] = [];
  agenda.after(1, () => {
    ran.push("first");
    agenda.after(0, () => ran.push("second"));
    agenda.after(1, () => ran.push("later"));
  });
  agenda.advance(1.5);
  expect(ran).toEqual(["first", "second"]);
  agenda.advance(1);
  expect(ran).toEqual(["first", "second", "later"]);
});
