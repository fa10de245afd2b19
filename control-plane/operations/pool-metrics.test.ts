import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { tellPools } from "./pool-metrics.ts";

test("pools are told as they are at the moment of the scrape", async () => {
  const registry = new Registry();
  const pool = { totalCount: 5, idleCount: 2, waitingCount: 0 };
  tellPools(registry, { work: pool });
  expect(await registry.metrics()).toContain('dynamo_db_pool_connections{pool="work",state="used"} 3');
  Object.assign(pool, { idleCount: 0, waitingCount: 7 });
  const text = await registry.metrics();
  expect(text).toContain('dynamo_db_pool_connections{pool="work",state="used"} 5');
  expect(text).toContain('dynamo_db_pool_connections{pool="work",state="idle"} 0');
  expect(text).toContain('dynamo_db_pool_waiting{pool="work"} 7');
});
