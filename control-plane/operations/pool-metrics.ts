import type pg from "pg";
import { Gauge, type Registry } from "prom-client";

type Counts = Pick<pg.Pool, "totalCount" | "idleCount" | "waitingCount">;

/**
 * Tells how a process's pools of Postgres connections are used, as they are when it is scraped.
 * @param pools by the name that becomes the label
 */
export function tellPools(registry: Registry, pools: Record<string, Counts>): void {
  const registers = [registry];
  new Gauge({
    name: "dynamo_db_pool_connections",
    help: "Connections to Postgres; state: used | idle",
    labelNames: ["pool", "state"] as const,
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount }] of Object.entries(pools)) {
        this.set({ pool, state: "used" }, totalCount - idleCount);
        this.set({ pool, state: "idle" }, idleCount);
      }
    },
  });
  new Gauge({
    name: "dynamo_db_pool_waiting",
    help: "Who waits for a connection of the pool",
    labelNames: ["pool"] as const,
    registers,
    collect() {
      for (const [pool, { waitingCount }] of Object.entries(pools)) this.set({ pool }, waitingCount);
    },
  });
}
