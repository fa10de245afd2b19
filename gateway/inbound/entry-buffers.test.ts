import { expect, test } from "vitest";
import { EntryBuffers } from "./entry-buffers.ts";

test("what was given back is used again for an entry of its size", () => {
  const buffers = new EntryBuffers();
  for (const length of [8_194, 50_000, 262_144, 300_000]) {
    const first = buffers.take(length);
    expect(first.length).toBe(length);
    buffers.giveBack(first);
    const again = buffers.take(length - 1);
    const other = buffers.take(length);
    expect([again.length, other.length]).toEqual([length - 1, length]);
    expect(other.buffer).not.toBe(first.buffer);
    expect(again.buffer).toBe(first.buffer);
  }
});

test("what is not its own is not taken, and no more than its bound", () => {
  const buffers = new EntryBuffers(20_000);
  const strange = Buffer.alloc(10_000);
  buffers.giveBack(strange);
  const small = buffers.take(100);
  buffers.giveBack(small);
  expect(buffers.take(10_000).buffer).not.toBe(strange.buffer);
  const [one, two] = [buffers.take(10_000), buffers.take(10_000)];
  buffers.giveBack(one);
  buffers.giveBack(two);
  expect(buffers.take(10_000).buffer).toBe(one.buffer);
  expect(buffers.take(10_000).buffer).not.toBe(two.buffer);
});
