import { afterAll, beforeAll, expect, test } from "vitest";
import { generateTarget } from "../conformance/generate-target.ts";
import { playConformance } from "../conformance/play-conformance.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ RATE_LIMIT_COMMAND: "1000000/60", RATE_LIMIT_READ: "1000000/60" });
});
afterAll(() => cluster?.close());

test("[C8] [F1] [F4] [F10] [F12] [F15] [1.3-codes] [1.6-flagged] every action × version × direction over the wire: smallest, fullest and broken payloads, as the golden files say", async () => {
  const { cases, passed, failures } = await playConformance(await generateTarget(cluster));
  console.log(`${passed} of ${cases}`);
  expect(failures).toEqual([]);
  expect(passed).toBe(cases);
  expect(cases).toBeGreaterThan(2_500);
});
