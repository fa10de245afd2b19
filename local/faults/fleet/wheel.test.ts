import { expect, test } from "vitest";
import { Wheel } from "./wheel.ts";

function scene() {
  const clock = { nowMs: 1_000_000 };
  const ran: string[] = [];
  const wheel = new Wheel(() => clock.nowMs);
  return {
    clock,
    ran,
    wheel,
    after: (ms: number, name: string) => wheel.after(ms, () => void ran.push(name)),
    pass: (ms: number) => {
      clock.nowMs += ms;
      return wheel.turn();
    },
  };
}

test("what is due runs in the order of its time, and not before", () => {
  const { after, pass, ran } = scene();
  after(300, "later");
  after(50, "soon");
  after(0, "at once");
  pass(40);
  expect(ran).toEqual(["at once"]);
  pass(20);
  expect(ran).toEqual(["at once", "soon"]);
  pass(230);
  expect(ran).toEqual(["at once", "soon"]);
  pass(20);
  expect(ran).toEqual(["at once", "soon", "later"]);
});

test("what is further away than a whole turn of the wheel waits for its own turn", () => {
  const { after, pass, ran } = scene();
  after(100_000, "far");
  pass(60_000);
  expect(ran).toEqual([]);
  pass(40_010);
  expect(ran).toEqual(["far"]);
});

test("a burst that takes long is done in several turns, and nothing of it is lost", () => {
  const { wheel, clock, ran, pass } = scene();
  for (let n = 0; n < 5; n++)
    wheel.after(0, () => {
      ran.push(String(n));
      clock.nowMs += 5;
    });
  expect(pass(20)).toBe(true);
  expect(ran).toEqual(["0", "1"]);
  while (wheel.turn());
  expect(ran).toEqual(["0", "1", "2", "3", "4"]);
});
