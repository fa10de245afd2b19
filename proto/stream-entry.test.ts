import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { StationIdentity } from "./station-identity.ts";
import {
  decodeEntry,
  encodeEntry,
  EntryBuilder,
  FLAG_EVENT,
  framePrefix,
  type LaneFrame,
  UnknownEntryFormat,
} from "./stream-entry.ts";

const identity = "cp_01hxab1c2d3e" as StationIdentity;
const AT_MS = 1_777_631_000_000;

const frames: LaneFrame[] = [
  {
    kind: "inbound",
    identity,
    version: "1.6",
    epoch: AT_MS - 5_000,
    seq: 1,
    receivedAtMs: AT_MS,
    flagged: false,
    text: '[2,"1","Heartbeat",{}]',
  },
  {
    kind: "inbound",
    identity,
    version: "2.1",
    epoch: AT_MS,
    seq: 4_294_967_295,
    receivedAtMs: AT_MS + 15_000,
    flagged: true,
    text: '[2,"ü—語","Authorize",{"idToken":\n{}}]',
    answer: '[3,"ü—語",{"idTokenInfo":{"status":"Accepted"}}]',
    answeredAfterMs: 70_000,
  },
  {
    kind: "outbound",
    identity: "ключ" as StationIdentity,
    version: "2.0.1",
    epoch: 7,
    seq: 2,
    receivedAtMs: AT_MS,
    flagged: false,
    text: '[2,"cmd","Reset",{}]',
  },
  {
    kind: "event",
    identity: "",
    version: "1.6",
    epoch: 0,
    seq: 0,
    receivedAtMs: AT_MS,
    flagged: false,
    text: '{"event":"sealed","nodeId":"gw-1"}',
  },
];

describe("lane entry", () => {
  test("frames come back as they went in", () => {
    expect(decodeEntry(encodeEntry(frames))).toEqual(frames);
  });

  const golden = (name: string) =>
    Buffer.from(readFileSync(new URL(`golden/${name}`, import.meta.url), "utf8"), "base64");

  test("what is written is format 2, with the time to the answer (golden file)", () => {
    expect(decodeEntry(golden("lane-entry-2.b64"))).toEqual(frames);
    expect(encodeEntry(frames).equals(golden("lane-entry-2.b64"))).toBe(true);
  });

  test("an entry written by format 1 is read for ever (golden files)", () => {
    const untimed = frames.map(({ answeredAfterMs: _, ...frame }) => frame);
    expect(decodeEntry(golden("lane-entry-1.b64"))).toEqual(untimed);
    // The earliest writers set the base to the first frame's time.
    expect(decodeEntry(golden("lane-entry-1-base-at-first.b64"))).toEqual(untimed);
  });

  test("an answer whose time nobody measured has none; one that is out of range is the nearest that there is", () => {
    const answered = (answeredAfterMs?: number): LaneFrame => ({
      ...(frames[0] as LaneFrame),
      answer: "[]",
      ...(answeredAfterMs === undefined ? {} : { answeredAfterMs }),
    });
    const told = decodeEntry(encodeEntry([answered(), answered(-1), answered(0.6), answered(2 ** 40)]));
    expect(told.map(({ answeredAfterMs }) => answeredAfterMs)).toEqual([undefined, 0, 1, 0xffff_fffe]);
  });

  test("a frame larger than the builder's buffer makes it grow", () => {
    const builder = new EntryBuilder(16);
    const text = "x".repeat(100_000);
    builder.add(framePrefix("1.6", 1, identity), FLAG_EVENT, 1, AT_MS, Buffer.from(text), undefined);
    expect(builder.count).toBe(1);
    expect(decodeEntry(builder.finish())[0]?.text).toBe(text);
    expect([builder.count, builder.bytes]).toEqual([0, 0]);
  });

  test("a clock that stepped back within one entry does not make a negative offset", () => {
    const builder = new EntryBuilder();
    const prefix = framePrefix("1.6", 1, identity);
    builder.add(prefix, 0, 1, AT_MS, Buffer.from("a"), undefined);
    builder.add(prefix, 0, 2, AT_MS - 3_600_000, Buffer.from("b"), undefined);
    expect(decodeEntry(builder.finish()).map((f) => f.receivedAtMs)).toEqual([AT_MS, AT_MS - 25_000]);
  });

  test("a frame that was held up keeps its time behind a younger one; what cannot be told does not fit", () => {
    const builder = new EntryBuilder();
    const prefix = framePrefix("1.6", 1, identity);
    builder.add(prefix, 0, 2, AT_MS, Buffer.from("a"), undefined);
    builder.add(prefix, 0, 1, AT_MS - 20_000, Buffer.from("b"), undefined);
    expect([-25_001, -25_000, 40_535, 40_536].map((ms) => builder.fits(AT_MS + ms))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(decodeEntry(builder.finish()).map((f) => f.receivedAtMs)).toEqual([AT_MS, AT_MS - 20_000]);
    expect(builder.fits(0)).toBe(true);
  });

  test("a newer format is told apart from damage", () => {
    const newer = encodeEntry(frames);
    newer[0] = 3;
    expect(() => decodeEntry(newer)).toThrow(UnknownEntryFormat);
    const whole = encodeEntry(frames);
    expect(() => decodeEntry(whole.subarray(0, whole.length - 1))).toThrow(RangeError);
  });
});

test("a staged frame stands in the entry as if it had been added, and only once it is", () => {
  const prefix = framePrefix("2.0.1", AT_MS, identity);
  const text = (id: string) => Buffer.from(`[2,"${id}","Heartbeat",{}]`);
  const added = new EntryBuilder(16);
  const staged = new EntryBuilder(16);
  for (const builder of [added, staged]) builder.add(prefix, 0, 1, AT_MS, text("1"), undefined);
  added.add(prefix, 0, 2, AT_MS + 3, text("2"), undefined);

  staged.stage(prefix.length, Buffer.from("left out, and longer than what comes instead of it"));
  const at = staged.stage(prefix.length, text("2"));
  const { length } = text("2");
  expect(Buffer.from(staged.bytesSoFar.subarray(at, at + length + 1)).toString()).toBe(`${text("2").toString()}\0`);
  staged.addStaged(prefix, 2, AT_MS + 3, length);
  staged.stage(prefix.length, text("3"));
  expect([staged.count, staged.bytes]).toEqual([added.count, added.bytes]);
  const entry = staged.finish();
  expect(entry).toEqual(added.finish());
  expect(entry.toString("utf8", at, at + length)).toBe(text("2").toString());

  // As the first of an entry, too.
  added.add(prefix, 0, 4_294_967_295, AT_MS + 9, text("4"), undefined);
  staged.stage(prefix.length, text("4"));
  staged.addStaged(prefix, 4_294_967_295, AT_MS + 9, length);
  expect(staged.finish()).toEqual(added.finish());
});
