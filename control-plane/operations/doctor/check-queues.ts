import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import { Queue } from "bullmq";
import { MAIL_WORK } from "../../mail/queue-mail.ts";
import { DELIVERY_WORK } from "../../webhooks/claim-delivery.ts";
import { FAN_OUT_WORK } from "../../webhooks/record-event.ts";
import { type Check, Findings } from "./finding.ts";

/** Wake-ups are taken within moments; so many of a kind have nobody who takes them. */
const MANY = 1_000;

/** BullMQ's queues: wake-ups alone, the work is in Postgres. A queue that nobody empties has no worker. */
export function queuesCheck(redis: RedisConnection): Check {
  return {
    name: "queues",
    runbook: "jobs-stopped",
    async run() {
      const say = new Findings("queues");
      // A queue would wait for its connection, for ever.
      if (redis.status !== "ready") throw new Error("Redis is not connected");
      for (const name of [MAIL_WORK, DELIVERY_WORK, FAN_OUT_WORK]) {
        const queue = new Queue(name, { connection: redis, prefix: BULL_PREFIX });
        queue.on("error", () => {});
        try {
          const { waiting = 0, active = 0 } = await queue.getJobCounts("waiting", "active");
          if (waiting > MANY)
            say.warning(
              `${waiting} wake-ups of ${name} wait, ${active} are at work`,
              "See whether a jobs process runs, and what it waits for.",
              "jobs-stopped",
            );
        } finally {
          await queue.close();
        }
      }
      if (say.all.length === 0) say.ok("no wake-ups heap up");
      return say.all;
    },
  };
}
