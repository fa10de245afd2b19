import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { Queue, type JobsOptions } from "bullmq";
import type { Logger } from "pino";
import type { WakeUps } from "./durable-work.ts";
import { settledWithin } from "./pause.ts";

export interface WakeUpDeps {
  /** A "commands" connection: it fails at once when Redis is away. */
  redis: RedisConnection;
  /** BullMQ's key prefix: BULL_PREFIX. */
  prefix: string;
  log: Logger;
}

export interface WakeUpProducer extends WakeUps {
  /** As `wake`, and at most one such job per row waits at a time: what the sweep uses, which sees the same rows again and again. */
  wakeOnce(work: string, id: string): void;
  /** Resolves when everything handed over was taken or refused, soon when Redis is away. The connection stays open: it is the caller's. */
  close(): Promise<void>;
}

/** Nobody reads finished jobs: the rows tell what became of them. */
const FORGET: JobsOptions = { removeOnComplete: true, removeOnFail: true };

/** A queue that has lost Redis waits for it; the rows it was to wake are found by the sweep. */
const CLOSE_MS = 2_000;

/** More than this unanswered means that Redis hangs; the sweep will find the rows. */
const MAX_IN_FLIGHT = 1_000;

/** The side that enqueues. Any process may have one. */
export function createWakeUps({ redis, prefix, log }: WakeUpDeps): WakeUpProducer {
  const queues = new Map<string, Queue>();
  const inFlight = new Set<Promise<void>>();

  function queueOf(work: string): Queue {
    const known = queues.get(work);
    if (known !== undefined) return known;
    const queue = new Queue(work, { connection: redis, prefix });
    // The connection logs that Redis is away; without a listener the event would be thrown.
    queue.on("error", () => {});
    queues.set(work, queue);
    return queue;
  }

  function enqueue(work: string, id: string, options: JobsOptions): void {
    // A queue made while Redis is away would wait for it, and hold every wake-up in memory until then.
    if (redis.status !== "ready" || inFlight.size >= MAX_IN_FLIGHT) return;
    const queue = queueOf(work);
    const attempt = queue.add(work, { id }, { ...FORGET, ...options }).then(
      () => {},
      (error: Error) => {
        log.debug({ work, error: error.message }, "wake-up not taken");
        // A queue whose first contact with Redis failed stays broken for good: the next wake-up makes a new one.
        if (queues.get(work) === queue) queues.delete(work);
        void queue.close().catch(() => {});
      },
    );
    inFlight.add(attempt);
    void attempt.finally(() => inFlight.delete(attempt));
  }

  return {
    wake(work, id, delayMs = 0) {
      if (delayMs <= 0) return enqueue(work, id, {});
      // The same row woken for the same moment is one job. BullMQ refuses ids that hold a colon or look like a number.
      const delay = Math.ceil(delayMs);
      enqueue(work, id, { delay, jobId: `at-${Date.now() + delay}-${id}`.replaceAll(":", "-") });
    },
    wakeOnce(work, id) {
      enqueue(work, id, { jobId: `due-${id}`.replaceAll(":", "-") });
    },
    async close() {
      const handedOver = Promise.all(inFlight).then(() =>
        Promise.allSettled([...queues.values()].map((queue) => queue.close())),
      );
      await settledWithin(handedOver, CLOSE_MS);
      queues.clear();
    },
  };
}
