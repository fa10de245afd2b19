import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Sql } from "../../database.ts";
import { readClocks } from "../clocks.ts";
import { type Check, Findings } from "./finding.ts";

/** Leases and epochs go by each server's own clock; what people read in two places should agree. */
const APART_MS = 2_000;

/** This machine's clock against those of Redis and Postgres. */
export function clocksCheck(deps: { sql: Sql; redis: RedisConnection }): Check {
  return {
    name: "clocks",
    runbook: "clock-difference",
    async run() {
      const say = new Findings("clocks");
      for (const { server, aheadMs } of await readClocks(deps)) {
        const seen = `${server} is ${Math.abs(aheadMs / 1_000).toFixed(1)} s ${aheadMs < 0 ? "behind" : "ahead of"} this machine`;
        if (Math.abs(aheadMs) > APART_MS) say.warning(seen, "Let NTP set the clocks of both.", "clock-difference");
        else say.ok(`${server} agrees with this machine`);
      }
      return say.all;
    },
  };
}
