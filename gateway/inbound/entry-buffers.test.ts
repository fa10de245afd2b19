import { expect, test } from "vitest";
import { EntryBuffers } from "./entry-buffers.ts";

/** Slabs of 1,000 bytes, two of them spare. */
const small = () => new EntryBuffers(1_000, 2_000);
const places = (entries: readonly Buffer[]) => entries.map(({ byteOffset, length }) => [byteOffset, length]);

test("entries of all lengths stand one behind the other, and none in another's place", () => {
  const buffers = small();
  const entries = [200, 7, 250, 250, 100, 250].map((length) => buffers.take(length));
  expect(places(entries)).toEqual([
    [0, 200],
    [200, 7],
    [207, 250],
    [457, 250],
    [707, 100],
    [0, 250], // of a second slab: 807 + 250 is past the end of the first
  ]);
  expect(new Set(entries.map(({ buffer }) => buffer)).size).toBe(2);
});

test("a slab is used again when all of its entries were given back, and not before", () => {
  const buffers = small();
  const first = [250, 250, 250, 250].map((length) => buffers.take(length));
  const second = buffers.take(10);
  for (const entry of first.slice(1)) buffers.giveBack(entry);
  const third = [250, 250, 250, 250].map((length) => buffers.take(length)).at(-1);
  expect(third?.buffer).not.toBe(first[0]?.buffer);
  expect(third?.buffer).not.toBe(second.buffer);
  buffers.giveBack(first[0] as Buffer);
  const fourth = [250, 250, 250, 250].map((length) => buffers.take(length)).at(-1);
  expect(fourth?.buffer).toBe(first[0]?.buffer);
});

test("the slab in use begins anew when nothing stands in it, and is never given away twice", () => {
  const buffers = small();
  const first = buffers.take(250);
  buffers.giveBack(first);
  const again = buffers.take(200);
  expect([again.buffer, again.byteOffset]).toEqual([first.buffer, 0]);
  const full = [250, 250, 250].map((length) => buffers.take(length));
  expect(places(full)).toEqual([
    [200, 250],
    [450, 250],
    [700, 250],
  ]);
});

test("no more is kept than its bound", () => {
  const buffers = small();
  const entries = Array.from({ length: 16 }, () => buffers.take(250));
  for (const entry of entries) buffers.giveBack(entry);
  const kept = new Set(entries.map(({ buffer }) => buffer));
  expect(kept.size).toBe(4);
  const later = new Set(Array.from({ length: 20 }, () => buffers.take(250).buffer));
  // The current one and two that were spare.
  expect([...later].filter((memory) => kept.has(memory as ArrayBuffer)).length).toBe(3);
});

test("what somebody may still look at is not written over, nor what stands beside it", () => {
  const buffers = small();
  const entries = [250, 250].map((length) => buffers.take(length));
  buffers.letGo(entries[0] as Buffer);
  const next = buffers.take(10);
  expect(next.buffer).not.toBe(entries[0]?.buffer);
  buffers.giveBack(entries[1] as Buffer);
  const later = Array.from({ length: 12 }, () => buffers.take(250).buffer);
  expect(later).not.toContain(entries[0]?.buffer);
});

test("a long entry has memory of its own, and what is not from here is left alone", () => {
  const buffers = small();
  const long = buffers.take(251);
  expect([long.length, long.byteOffset]).toEqual([251, 0]);
  buffers.giveBack(long);
  buffers.giveBack(Buffer.alloc(10));
  buffers.letGo(Buffer.alloc(10));
  expect(buffers.take(100).buffer).not.toBe(long.buffer);
});
