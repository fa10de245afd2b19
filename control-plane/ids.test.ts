import { MAX_MESSAGE_ID } from "@dynamo-csms/proto/ocpp-frame";
import { expect, test } from "vitest";
import { newId } from "./ids.ts";

test("[F7] [F5] ids of commands, which are our message ids, are random and fit into a frame: no node, restart or counter in them", () => {
  const ids = Array.from({ length: 10_000 }, () => newId("cmd"));
  expect(new Set(ids).size).toBe(ids.length);
  // 26 of 32 characters: 130 bit.
  for (const id of ids) expect(id).toMatch(/^cmd_[0-9a-hjkmnp-tv-z]{26}$/);
  expect(ids[0]?.length).toBeLessThanOrEqual(MAX_MESSAGE_ID);
});
