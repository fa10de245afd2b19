import { expect, test } from "vitest";
import { RetainedEntries, type RetainedEntry } from "./retained-entries.ts";

function scene(limits = { tailMs: 10_000, tailBytes: 1_000 }) {
  const retained = new RetainedEntries(limits);
  const told: string[] = [];
  const push = (name: string, sinceMs = 0): RetainedEntry => {
    const entry: RetainedEntry = {
      id: 0,
      bytes: Buffer.from(name),
      waiting: [(stored) => told.push(`${name} ${stored ? "stored" : "refused"}`)],
      sinceMs,
      sentAtMs: undefined,
      ackedAtMs: undefined,
    };
    retained.push(entry);
    return entry;
  };
  /** Sends all that is unsent: `name@id`. */
  const send = (nowMs = 0) => {
    const sent: RetainedEntry[] = [];
    for (let entry = retained.takeUnsent(nowMs); entry !== undefined; entry = retained.takeUnsent(nowMs))
      sent.push(entry);
    return sent;
  };
  const named = (entries: RetainedEntry[]) => entries.map((entry) => `${entry.bytes.toString()}@${entry.id}`);
  return { retained, told, push, send, named };
}

test("ids are given in order, when an entry is sent", () => {
  const { push, send, named } = scene();
  push("a");
  push("b");
  expect(named(send())).toEqual(["a@1", "b@2"]);
  push("c");
  expect(named(send())).toEqual(["c@3"]);
});

test("an error with nothing through: everything that was sent is sent again under its id", () => {
  const { retained, push, send, named, told } = scene();
  push("a");
  push("b");
  send();
  retained.resume(0, new Set(), 1);
  expect(named(send())).toEqual(["a@1", "b@2"]);
  expect(told).toEqual([]);
});

test("what got through before the error counts as stored", () => {
  const { retained, push, send, named, told } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  send();
  retained.resume(2, new Set([1, 2]), 1);
  expect(told).toEqual(["a stored", "b stored"]);
  expect(named(send())).toEqual(["c@3"]);
});

test("one that Redis refused while it took a later one is not taken for stored: it moves behind, under a new id", () => {
  const { retained, push, send, named, told } = scene();
  for (const name of ["a", "b", "c", "d"]) push(name);
  send();
  retained.resume(2, new Set([2]), 1);
  expect(told).toEqual(["b stored"]);
  expect(named(send())).toEqual(["a@5", "c@6", "d@7"]);
});

test("a lane that lost its end is filled from the acknowledged tail, which is told only once", () => {
  const { retained, push, send, named, told } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[2] as RetainedEntry, 1);
  push("d");
  expect(retained.gapAbove(1)).toBeUndefined();
  retained.resume(1, new Set(), 2);
  const again = send();
  expect(named(again)).toEqual(["b@2", "c@3", "d@4"]);
  retained.ackUpTo(again[2] as RetainedEntry, 3);
  expect(told).toEqual(["a stored", "b stored", "c stored", "d stored"]);
});

test("the tail is bounded in time and bytes; what it lacks is a gap", () => {
  const { retained, push, send } = scene({ tailMs: 100, tailBytes: 2 });
  for (const name of ["a", "b", "c", "d"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[3] as RetainedEntry, 0);
  retained.trim(1);
  expect(retained.gapAbove(0)).toEqual({ fromId: 1, toId: 2 }); // two bytes are held: c and d
  retained.trim(101);
  expect(retained.gapAbove(1)).toEqual({ fromId: 2, toId: 4 });
  expect(retained.gapAbove(4)).toBeUndefined();
});

test("what waits too long is refused, stays in order, and is told nothing more", () => {
  const { retained, push, send, named, told } = scene();
  push("a", 0);
  push("b", 50);
  send();
  retained.giveUpWaiting(10);
  expect(told).toEqual(["a refused"]);
  retained.resume(1, new Set([1]), 60);
  expect(told).toEqual(["a refused"]);
  expect(named(send())).toEqual(["b@2"]);
});

test("a new lane begins with all that is held, from 1 on", () => {
  const { retained, push, send, named } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[0] as RetainedEntry, 0);
  retained.restartInNewLane(1);
  expect(named(send())).toEqual(["a@1", "b@2", "c@3"]);
  expect(retained.waitingBytes).toBe(2);
});

test("waiting bytes are those not acknowledged", () => {
  const { retained, push, send } = scene();
  push("abc");
  push("de");
  expect(retained.waitingBytes).toBe(5);
  const sent = send();
  retained.ackUpTo(sent[0] as RetainedEntry, 0);
  expect(retained.waitingBytes).toBe(2);
  expect(retained.inFlight).toBe(1);
});
