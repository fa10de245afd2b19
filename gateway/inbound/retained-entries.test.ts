import { expect, test } from "vitest";
import { RetainedEntries, type RetainedEntry } from "./retained-entries.ts";

function scene(limits = { tailMs: 10_000, tailBytes: 1_000 }) {
  const told: string[] = [];
  const retained = new RetainedEntries(limits, (error) => told.push((error as Error).message));
  const push = (name: string, sinceMs = 0): RetainedEntry => {
    const entry: RetainedEntry = {
      id: 0,
      bytes: Buffer.from(name),
      waiting: [(stored) => told.push(`${name} ${stored ? "stored" : "refused"}`)],
      sinceMs,
      sent: 0,
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
  /** As `RetainedEntries.resume`; what explains is an entry with the ids as its text. */
  const resume = (lastInLane: number, present: number[], nowMs: number, durable: boolean) =>
    retained.resume(lastInLane, new Set(present), nowMs, durable, (ranges) => ({
      id: 0,
      bytes: Buffer.from(ranges.map(([first, last]) => `${first}-${last}`).join()),
      waiting: [],
      sinceMs: nowMs,
      sent: 0,
      sentAtMs: undefined,
      ackedAtMs: undefined,
    }));
  const named = (entries: RetainedEntry[]) => entries.map((entry) => `${entry.bytes.toString()}@${entry.id}`);
  return { retained, told, push, send, resume, named };
}

test("ids are given in order, when an entry is sent", () => {
  const { push, send, named } = scene();
  push("a");
  push("b");
  expect(named(send())).toEqual(["a@2", "b@3"]);
  push("c");
  expect(named(send())).toEqual(["c@4"]);
});

test("a frame whose handler throws keeps nobody behind it from being told", () => {
  const { retained, push, send, told } = scene();
  const first = push("a");
  first.waiting.unshift(() => {
    throw new Error("thrown");
  });
  push("b");
  retained.ackUpTo(send()[1] as RetainedEntry, 0);
  expect(told).toEqual(["thrown", "a stored", "b stored"]);
});

test("an error with nothing through: everything that was sent is sent again under its id", () => {
  const { push, send, named, told, resume } = scene();
  push("a");
  push("b");
  send();
  resume(1, [], 1, true);
  expect(named(send())).toEqual(["a@2", "b@3"]);
  expect(told).toEqual([]);
});

test("what got through and is not durable yet waits for the next acknowledgement, and is not written again", () => {
  const { retained, push, send, named, told, resume } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  retained.ackUpTo(send()[0] as RetainedEntry, 0);
  resume(3, [3], 1, false);
  expect(told).toEqual(["a stored"]);
  expect(retained.inFlight).toBe(1);
  const [again] = send();
  expect(named([again as RetainedEntry])).toEqual(["c@4"]);
  retained.ackUpTo(again as RetainedEntry, 2);
  expect(told).toEqual(["a stored", "b stored", "c stored"]);
});

test("what got through before the error counts as stored", () => {
  const { push, send, named, told, resume } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  send();
  resume(3, [2, 3], 1, true);
  expect(told).toEqual(["a stored", "b stored"]);
  expect(named(send())).toEqual(["c@4"]);
});

test("one that Redis refused while it took a later one moves behind, under a new id; first comes what explains the ids it left", () => {
  const { push, send, named, told, resume } = scene();
  for (const name of ["a", "b", "c", "d"]) push(name);
  send();
  resume(3, [3], 1, true);
  expect(told).toEqual(["b stored"]);
  expect(named(send())).toEqual(["2-2,4-5@6", "a@7", "c@8", "d@9"]);
});

test("a lane that lost its end is filled from the acknowledged tail, which is told only once", () => {
  const { retained, push, send, named, told, resume } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[2] as RetainedEntry, 1);
  push("d");
  expect(retained.gapAbove(2)).toBeUndefined();
  resume(2, [], 2, true);
  const again = send();
  expect(named(again)).toEqual(["b@3", "c@4", "d@5"]);
  retained.ackUpTo(again[2] as RetainedEntry, 3);
  expect(told).toEqual(["a stored", "b stored", "c stored", "d stored"]);
});

test("the tail is bounded in time and bytes; what it lacks is a gap", () => {
  const { retained, push, send } = scene({ tailMs: 100, tailBytes: 2 });
  for (const name of ["a", "b", "c", "d"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[3] as RetainedEntry, 0);
  retained.trim(1);
  expect(retained.gapAbove(1)).toEqual({ fromId: 2, toId: 3 }); // two bytes are held: c and d
  retained.trim(101);
  expect(retained.gapAbove(2)).toEqual({ fromId: 3, toId: 5 });
  expect(retained.gapAbove(5)).toBeUndefined();
});

test("nothing is dropped by age while the server that acknowledged may have been replaced", () => {
  const { retained, push, send } = scene({ tailMs: 100, tailBytes: 1_000 });
  push("a");
  retained.ackUpTo(send()[0] as RetainedEntry, 1_000);
  retained.trim(Number.NEGATIVE_INFINITY);
  retained.trim(1_099);
  expect(retained.gapAbove(1)).toBeUndefined();
  retained.trim(1_100);
  expect(retained.gapAbove(1)).toEqual({ fromId: 2, toId: 2 });
});

test("what was written again after a loss is held as long as what is new: the server that took it may be replaced in turn", () => {
  const { retained, push, send, named, resume } = scene({ tailMs: 100, tailBytes: 1_000 });
  for (const name of ["a", "b"]) push(name);
  retained.ackUpTo(send(0)[1] as RetainedEntry, 1);
  resume(2, [], 90, true);
  const [again] = send(90);
  retained.ackUpTo(again as RetainedEntry, 91);
  retained.trim(150);
  resume(2, [], 160, true);
  expect(named(send(160))).toEqual(["b@3"]);
});

test("in a new lane, too, what was acknowledged and is lost and not held is a gap", () => {
  const { retained, push, send } = scene({ tailMs: 100, tailBytes: 1_000 });
  for (const name of ["a", "b"]) push(name);
  retained.ackUpTo(send(0)[1] as RetainedEntry, 0);
  retained.restartInNewLane(10);
  retained.ackUpTo(send(11)[1] as RetainedEntry, 12);
  retained.trim(200);
  expect(retained.gapAbove(1)).toEqual({ fromId: 2, toId: 3 });
});

test("what waits too long is refused, stays in order, and is told nothing more", () => {
  const { retained, push, send, named, told, resume } = scene();
  push("a", 0);
  push("b", 50);
  send();
  retained.giveUpWaiting(10);
  expect(told).toEqual(["a refused"]);
  resume(2, [2], 60, true);
  expect(told).toEqual(["a refused"]);
  expect(named(send())).toEqual(["b@3"]);
});

test("a new lane begins with all that is held, behind its first entry", () => {
  const { retained, push, send, named } = scene();
  for (const name of ["a", "b", "c"]) push(name);
  const sent = send();
  retained.ackUpTo(sent[0] as RetainedEntry, 0);
  retained.restartInNewLane(1);
  expect(named(send())).toEqual(["a@2", "b@3", "c@4"]);
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

test("who owns the memory hears of each entry that is dropped, and whether it was sent again", () => {
  const dropped: string[] = [];
  const retained = new RetainedEntries(
    { tailMs: 1, tailBytes: 1_000 },
    () => undefined,
    ({ bytes, sent }) => dropped.push(`${bytes.toString()} sent ${sent} ×`),
  );
  const push = (name: string) =>
    retained.push({
      id: 0,
      bytes: Buffer.from(name),
      waiting: [],
      sinceMs: 0,
      sent: 0,
      sentAtMs: undefined,
      ackedAtMs: undefined,
    });
  push("a");
  push("b");
  retained.takeUnsent(0);
  retained.takeUnsent(0);
  // "a" came through, "b" did not: its connection may still have it.
  retained.resume(2, new Set([2]), 0, true, () => {
    throw new Error("nothing was overtaken");
  });
  const again = retained.takeUnsent(1) as RetainedEntry;
  retained.ackUpTo(again, 1);
  push("c");
  retained.trim(10);
  expect([again.bytes.toString(), dropped]).toEqual(["b", ["a sent 1 ×", "b sent 2 ×"]]);
});
