// The numbers of the fleet that jobs tell, for a fleet of which every number is known.
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTransaction } from "../database.ts";
import { queueCommand } from "../commands/queue-command.ts";
import { createFleetMetrics, readFleet } from "../operations/fleet-metrics.ts";
import type { TestStation } from "./registered-station.ts";
import { event, start } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
const registry = new Registry();
const metrics = createFleetMetrics(registry);
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

/** What the process tells of one metric, as it is written: labels → value. */
async function told(name: string): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith(name));
  return Object.fromEntries(
    lines.map((line) => [line.slice(name.length, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

const setRegistration = (station: TestStation, registration: string) =>
  scene.rows("update stations set registration = $2 where id = $1", [station.id, registration]);

test("nothing is told before it was read: 0 would be a statement", async () => {
  expect(await told("dynamo_transactions_active")).toEqual({});
  expect(await told("dynamo_charge_points")).toEqual({});
  expect(await told("dynamo_webhook_deliveries_pending")).toEqual({});
});

test("charge points, transactions, commands and commissionings are as many as there are", async () => {
  const stations = [
    await scene.newStation("1.6"),
    await scene.newStation("1.6"),
    await scene.newStation("2.0.1"),
    await scene.newStation("1.6"),
    await scene.newStation("1.6"),
  ] as const;
  const [first, second, third, pending, retired] = stations;
  for (const station of [first, second, third, retired]) await setRegistration(station, "accepted");
  await setRegistration(pending, "pending");
  await scene.rows("update stations set retired_at = now() where id = $1", [retired.id]);

  // Three begin, one ends, and of those that are left one was given up.
  await scene.decide(first, "1.6", "StartTransaction", start());
  const { transactionId } = await scene.decide(second, "1.6", "StartTransaction", start());
  const stop = { transactionId, meterStop: 200, timestamp: "2026-05-01T11:00:00Z" };
  await scene.decide(second, "1.6", "StopTransaction", stop);
  await scene.decide(second, "1.6", "StartTransaction", start({ timestamp: "2026-05-01T12:00:00Z" }));
  await scene.decide(third, "2.0.1", "TransactionEvent", event("Started", 0));
  await scene.rows(
    "update transactions set given_up_at = now(), given_up_reason = 'newer_transaction' where station_id = $1 and state = 'active'",
    [second.id],
  );

  const reset = { version: "1.6", action: "Reset", payload: { type: "Soft" }, requestedBy: "test" } as const;
  for (const { id: stationId } of [first, second])
    await inTransaction(scene.pool, (sql) => queueCommand(sql, { stationId, orgId: scene.project.orgId, ...reset }));
  await scene.rows("update commands set state = 'published' where station_id = $1", [second.id]);

  await readFleet(scene.sql, metrics);
  expect(await told("dynamo_charge_points")).toEqual({
    '{registration="unknown"}': 0,
    '{registration="pending"}': 1,
    '{registration="accepted"}': 3,
    '{registration="rejected"}': 0,
  });
  expect(await told("dynamo_transactions_active")).toEqual({ "": 2 });
  expect(await told("dynamo_commands_open")).toEqual({
    '{state="queued"}': 1,
    '{state="published"}': 1,
    '{state="sent"}': 0,
  });
  expect(await told("dynamo_commissionings")).toEqual({
    '{status="in_progress"}': 0,
    '{status="completed"}': 0,
    '{status="failed"}': 0,
  });
  expect(await told("dynamo_webhook_deliveries_pending")).toEqual({ "": 0 });
});

test("the next reading replaces the former: what is no more is 0 again", async () => {
  await scene.rows("update transactions set state = 'ended' where state = 'active'");
  await scene.rows("update commands set state = 'accepted', final_at = now()");
  await readFleet(scene.sql, metrics);
  expect(await told("dynamo_transactions_active")).toEqual({ "": 0 });
  expect(Object.values(await told("dynamo_commands_open"))).toEqual([0, 0, 0]);
});
