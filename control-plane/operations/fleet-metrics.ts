import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import { Queue } from "bullmq";
import { Gauge, type Registry } from "prom-client";
import type { Sql } from "../database.ts";
import { MAIL_WORK } from "../mail/queue-mail.ts";
import { DELIVERY_WORK } from "../webhooks/claim-delivery.ts";
import { FAN_OUT_WORK } from "../webhooks/record-event.ts";

export type FleetMetrics = ReturnType<typeof createFleetMetrics>;

/** More is as bad as this many. */
const COUNTED = 10_000;
const REGISTRATIONS = ["unknown", "pending", "accepted", "rejected"];
const COMMISSIONINGS = ["in_progress", "completed", "failed"];
const OPEN_COMMANDS = ["queued", "published", "sent"];
const QUEUES = [MAIL_WORK, DELIVERY_WORK, FAN_OUT_WORK];

/** How many there are of what the deployment is about; told by every jobs process alike, as its backlogs are. */
export function createFleetMetrics(registry: Registry) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const pending = gauge("dynamo_webhook_deliveries_pending", `Webhook deliveries to be made, at most ${COUNTED}`, []);
  const active = gauge("dynamo_transactions_active", "Transactions under way: begun, not ended, not given up", []);
  // Absent until it is read: 0 would be a statement.
  pending.remove();
  active.remove();
  return {
    chargePoints: gauge("dynamo_charge_points", "Charge points that are not retired", ["registration"]),
    commissionings: gauge("dynamo_commissionings", "Commissionings, each charge point's last one", ["status"]),
    activeTransactions: active,
    checks: gauge("dynamo_commissioning_checks", "Checks of charge points' last commissionings", ["check", "status"]),
    openCommands: gauge("dynamo_commands_open", `Commands without a final state, counted up to ${COUNTED}`, ["state"]),
    pendingDeliveries: pending,
    queueJobs: gauge(
      "dynamo_queue_jobs",
      "Wake-ups in BullMQ's queues; the work itself is in Postgres. state: waiting | active",
      ["queue", "state"],
    ),
  };
}

/** Reads what Postgres has of it. Rejects when it is away. */
export async function readFleet(sql: Sql, metrics: FleetMetrics): Promise<void> {
  const [stations, transactions, commissionings, checks, commands, deliveries] = await Promise.all([
    sql.query<Counted>(
      "select registration as label, count(*)::int as n from stations where retired_at is null group by 1",
    ),
    sql.query<{ n: number }>(
      "select count(*)::int as n from transactions where state = 'active' and given_up_at is null",
    ),
    sql.query<Counted>("select status as label, count(*)::int as n from commissionings group by 1"),
    sql.query<Counted & { name: string }>(
      "select name, status as label, count(*)::int as n from commissioning_checks group by 1, 2",
    ),
    sql.query<Counted>(
      `select state as label, count(*)::int as n
       from (select state from commands where final_at is null limit ${COUNTED}) open group by 1`,
    ),
    sql.query<{ n: number }>(
      `select count(*)::int as n from (select 1 from webhook_deliveries where status = 'pending' limit ${COUNTED}) due`,
    ),
  ]);
  for (const [registration, n] of withZeros(REGISTRATIONS, stations)) metrics.chargePoints.set({ registration }, n);
  metrics.activeTransactions.set(transactions[0]?.n ?? 0);
  for (const [status, n] of withZeros(COMMISSIONINGS, commissionings)) metrics.commissionings.set({ status }, n);
  // A status that nobody has any more must not stay.
  metrics.checks.reset();
  for (const { name, label, n } of checks) metrics.checks.set({ check: name, status: label }, n);
  for (const [state, n] of withZeros(OPEN_COMMANDS, commands)) metrics.openCommands.set({ state }, n);
  metrics.pendingDeliveries.set(deliveries[0]?.n ?? 0);
}

interface Counted {
  label: string;
  n: number;
}

function withZeros(labels: readonly string[], found: readonly Counted[]): [string, number][] {
  const counts = new Map(found.map(({ label, n }) => [label, n]));
  return labels.map((label) => [label, counts.get(label) ?? 0]);
}

/** Reads BullMQ's queues. Rejects when Redis is away: a queue would wait for its connection, for ever. */
export async function readQueues(redis: RedisConnection, metrics: FleetMetrics): Promise<void> {
  if (redis.status !== "ready") throw new Error("Redis is not connected");
  for (const name of QUEUES) {
    const queue = new Queue(name, { connection: redis, prefix: BULL_PREFIX });
    queue.on("error", () => {});
    try {
      const counts = await queue.getJobCounts("waiting", "active");
      for (const state of ["waiting", "active"] as const)
        metrics.queueJobs.set({ queue: name, state }, counts[state] ?? 0);
    } finally {
      await queue.close();
    }
  }
}
