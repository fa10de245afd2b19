import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { Sql } from "../database.ts";
import { describeFault } from "../fault-kind.ts";
import { pause } from "../jobs/pause.ts";
import { readBacklogs } from "./backlogs.ts";
import { readClocks } from "./clocks.ts";
import { createFleetMetrics, readFleet, readQueues } from "./fleet-metrics.ts";
import { type LaneStatus, overviewLanes } from "./lane-overview.ts";
import { readRedisState } from "./redis-state.ts";

export type BacklogMetrics = ReturnType<typeof createBacklogMetrics>;

const STATUSES = [
  "written",
  "behind",
  "unheld",
  "unreadable",
  "ending",
  "stuck",
  "lost",
  "unreachable",
] as const satisfies LaneStatus[];

/**
 * What waits in the whole deployment, as every jobs process tells it alike: take the maximum over them. Values that could not be
 * read are absent; `dynamo_backlogs_read_timestamp_seconds` says how old the others are.
 */
export function createBacklogMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string) => {
    const made = new Gauge({ name, help, registers });
    // Absent until it is read: 0 would be a statement.
    made.remove();
    return made;
  };
  return {
    fleet: createFleetMetrics(registry),
    readAt: gauge(
      "dynamo_backlogs_read_timestamp_seconds",
      "When the numbers of this process about the whole deployment were last read, Unix time",
    ),
    deadLetters: gauge(
      "dynamo_dead_letters_open",
      "Frames that are set aside and neither replayed nor discarded, at most 10000",
    ),
    gaps: gauge("dynamo_lane_gaps_open", "Runs of entries that lanes lost, and that nobody has acknowledged"),
    overdueCommands: gauge(
      "dynamo_commands_overdue",
      "Commands a minute past their deadline without a final state, at most 10000",
    ),
    late: new Gauge({
      name: "dynamo_backlog_late_seconds",
      help: "How long the longest waiting of a kind of work has been due; 0: none is",
      labelNames: ["work"] as const,
      registers,
    }),
    disabledEndpoints: gauge(
      "dynamo_webhook_endpoints_disabled",
      "Webhook endpoints that were disabled because they failed",
    ),
    lanes: new Gauge({
      name: "dynamo_lanes",
      help: "Lanes that are not finished, by status",
      labelNames: ["status"] as const,
      registers,
    }),
    laneEntries: gauge("dynamo_lane_waiting_entries", "Entries of all lanes that are not applied yet"),
    laneLate: gauge(
      "dynamo_lane_oldest_waiting_seconds",
      "Age of the oldest frame in a lane that is not applied yet, over all lanes",
    ),
    clocks: new Gauge({
      name: "dynamo_clock_difference_seconds",
      help: "How far a server's clock is ahead of this machine's; negative: behind",
      labelNames: ["server"] as const,
      registers,
    }),
    redisMemory: gauge(
      "dynamo_redis_memory_ratio",
      "Used memory of the fullest Redis master by its maxmemory; absent without a limit",
    ),
    redisAppends: gauge("dynamo_redis_append_only", "1 while every Redis master writes its append-only file"),
  };
}

interface Deps {
  sql: Sql;
  redis: RedisConnection;
  metrics: BacklogMetrics;
  log: Logger;
}

/** Reads the numbers again and again until it is stopped. What cannot be read is left out and tried again. */
export function createBacklogReader(deps: Deps, everyMs: number): { start(): void; stop(): Promise<void> } {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const loop = async () => {
    while (!stopping.signal.aborted) {
      await readOnce(deps);
      await pause(everyMs * (0.9 + Math.random() * 0.2), stopping.signal);
    }
  };
  return {
    start: () => void (running = loop()),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** One look at everything. Never rejects: Redis may be away while Postgres is not. */
export async function readOnce({ sql, redis, metrics, log }: Deps): Promise<void> {
  const attempt = async (
    gauges: { single?: Gauge[]; labelled?: Pick<Gauge, "reset">[] },
    read: () => Promise<void>,
  ): Promise<boolean> => {
    try {
      await read();
      return true;
    } catch (fault) {
      for (const gauge of gauges.single ?? []) gauge.remove();
      for (const gauge of gauges.labelled ?? []) gauge.reset();
      log.debug({ reason: describeFault(fault) }, "backlogs cannot be read");
      return false;
    }
  };
  const all = await Promise.all([
    attempt(
      {
        single: [metrics.deadLetters, metrics.gaps, metrics.overdueCommands, metrics.disabledEndpoints],
        labelled: [metrics.late],
      },
      async () => {
        const found = await readBacklogs(sql);
        metrics.deadLetters.set(found.openDeadLetters);
        metrics.gaps.set(found.openGaps);
        metrics.overdueCommands.set(found.overdueCommands);
        metrics.late.set({ work: "webhook_delivery" }, found.webhookLateSeconds);
        metrics.late.set({ work: "webhook_fan_out" }, found.fanOutLateSeconds);
        metrics.late.set({ work: "mail" }, found.mailLateSeconds);
        metrics.late.set({ work: "registry" }, found.registryLateSeconds);
        metrics.disabledEndpoints.set(found.disabledEndpoints);
      },
    ),
    attempt({ single: [metrics.laneEntries, metrics.laneLate], labelled: [metrics.lanes] }, async () => {
      const lanes = await overviewLanes({ sql, redis });
      for (const status of STATUSES)
        metrics.lanes.set({ status }, lanes.filter((lane) => lane.status === status).length);
      metrics.laneEntries.set(lanes.reduce((sum, lane) => sum + lane.waitingEntries, 0));
      metrics.laneLate.set(Math.max(0, ...lanes.map((lane) => lane.oldestWaitingMs)) / 1_000);
    }),
    attempt(
      {
        single: [metrics.fleet.pendingDeliveries, metrics.fleet.activeTransactions],
        labelled: [
          metrics.fleet.chargePoints,
          metrics.fleet.commissionings,
          metrics.fleet.checks,
          metrics.fleet.openCommands,
        ],
      },
      () => readFleet(sql, metrics.fleet),
    ),
    attempt({ labelled: [metrics.fleet.queueJobs] }, () => readQueues(redis, metrics.fleet)),
    attempt({ labelled: [metrics.clocks] }, async () => {
      for (const { server, aheadMs } of await readClocks({ sql, redis }))
        metrics.clocks.set({ server }, aheadMs / 1_000);
    }),
    attempt({ single: [metrics.redisMemory, metrics.redisAppends] }, async () => {
      const { memoryRatio, appendsToDisk } = await readRedisState(redis);
      if (memoryRatio === undefined) metrics.redisMemory.remove();
      else metrics.redisMemory.set(memoryRatio);
      metrics.redisAppends.set(appendsToDisk ? 1 : 0);
    }),
  ]);
  if (all.every(Boolean)) metrics.readAt.set(Date.now() / 1_000);
}
