import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { encodeEntry } from "@dynamo-csms/proto/stream-entry";
import { expect, test } from "vitest";
import { gapBetween } from "./entry-id.ts";
import { MAX_BATCH_FRAMES, takeBatch } from "./take-batch.ts";

const entry = (number: number, frames = 1) => ({
  id: `${number}-0`,
  bytes: encodeEntry(
    Array.from({ length: frames }, (_, seq) => ({
      kind: "inbound" as const,
      identity: "cp_1" as StationIdentity,
      version: "1.6" as const,
      epoch: 1,
      seq,
      receivedAtMs: 1,
      text: "[]",
      flagged: false,
    })),
  ),
});

test("entries are taken whole until the batch is full", () => {
  const half = Math.ceil(MAX_BATCH_FRAMES / 2) + 1;
  const { batch, taken } = takeBatch("lane", "4-0", [entry(5, half), entry(6, half), entry(7)]);
  expect(taken).toBe(2);
  expect(batch).toMatchObject({ from: "4-0", to: "6-0", gaps: [] });
  expect(batch.frames).toHaveLength(2 * half);
  expect(batch.frames.at(-1)).toMatchObject({ entryId: "6-0", index: half - 1 });
});

test("an entry of a newer format ends the batch before it, and holds up the lane when it comes first", () => {
  const newer = { id: "6-0", bytes: Buffer.from([9, 1, 2]) };
  expect(takeBatch("lane", "4-0", [entry(5), newer])).toMatchObject({ taken: 1, waits: false, batch: { to: "5-0" } });
  expect(takeBatch("lane", "5-0", [newer, entry(7)])).toMatchObject({ taken: 0, waits: true });
});

test("a damaged or empty entry is set aside, and the lane goes on", () => {
  const { batch, taken } = takeBatch("lane", "4-0", [
    { id: "5-0", bytes: entry(5).bytes.subarray(0, 20) },
    { id: "6-0", bytes: Buffer.alloc(0) },
    entry(7),
  ]);
  expect(taken).toBe(3);
  expect(batch.damaged.map(({ entryId }) => entryId)).toEqual(["5-0", "6-0"]);
  expect(batch.frames).toHaveLength(1);
});

test("missing entries are noticed between offset and entry", () => {
  expect(gapBetween("0-0", "1-0")).toBeUndefined();
  expect(gapBetween("4-0", "6-0")).toEqual({ from: "5-0", to: "5-0" });
  expect(takeBatch("lane", "1-0", [entry(2), entry(9)]).batch.gaps).toEqual([{ from: "3-0", to: "8-0" }]);
});
