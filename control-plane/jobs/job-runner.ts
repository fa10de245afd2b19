import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { Worker, type Job } from "bullmq";
import type { Logger } from "pino";
import type { DurableWork } from "./durable-work.ts";
import type { JobMetrics } from "./job-metrics.ts";
import { pause, settledWithin } from "./pause.ts";
import { RetryPauses } from "./retry-pauses.ts";
import type { WakeUpProducer } from "./wake-ups.ts";

export interface JobRunnerDeps {
  works: readonly DurableWork[];
  wakeUps: WakeUpProducer;
  /** A "blocking" connection. BullMQ duplicates it for its blocking reads. */
  redis: RedisConnection;
  /** BullMQ's key prefix: BULL_PREFIX. */
  prefix: string;
  /** How often rows are looked for that Redis forgot. */
  sweepMs: number;
  metrics: JobMetrics;
  log: Logger;
}

export interface JobRunner {
  start(): void;
  /** Takes no further jobs and resolves when those at work are done. */
  stop(): Promise<void>;
  /** Every kind of work has a worker that takes jobs, and its due rows were looked through not long ago. */
  healthy(): boolean;
}

/** A look for due rows that takes so much longer than its interval hangs, or fails each time. */
const LOOK_OVERDUE_MS = 15_000;

/** Without Redis BullMQ cannot give its jobs back; nothing is lost then, the rows are still due. */
const CLOSE_MS = 2_000;

/** Rows looked at per sweep and work; the rest waits for the next sweep. */
const SWEEP_LIMIT = 200;

/**
 * The side that works: one BullMQ worker per kind of work, and a sweep that enqueues due rows. Every process may run one;
 * the rows' own locks keep two from doing the same thing.
 */
export function createJobRunner({ works, wakeUps, redis, prefix, sweepMs, metrics, log }: JobRunnerDeps): JobRunner {
  const pauses = new Map(works.map((work) => [work.name, new RetryPauses()]));
  const workers: Worker[] = [];
  const sweeps: Promise<void>[] = [];
  const running = new Set<Promise<void>>();
  const lookedAtMs = new Map<string, number>();
  const stopping = new AbortController();

  function track(run: Promise<void>): Promise<void> {
    running.add(run);
    return run.finally(() => running.delete(run));
  }

  async function runOne(work: DurableWork, id: string): Promise<void> {
    const pausesOfWork = pauses.get(work.name) as RetryPauses;
    if (!pausesOfWork.mayRun(id, Date.now())) return;
    const stopTimer = metrics.runSeconds.startTimer({ work: work.name });
    try {
      await work.run(id);
      pausesOfWork.succeeded(id);
      metrics.runs.inc({ work: work.name, outcome: "done" });
    } catch (cause) {
      const pauseMs = pausesOfWork.failed(id, Date.now());
      metrics.runs.inc({ work: work.name, outcome: "failed" });
      log.error({ work: work.name, id, pauseMs, error: cause }, "work failed");
    } finally {
      stopTimer();
    }
  }

  function startWorker(work: DurableWork): Worker {
    const worker = new Worker<{ id: string }>(
      work.name,
      (job: Job<{ id: string }>) => track(runOne(work, job.data.id)),
      {
        connection: redis,
        prefix,
        concurrency: work.concurrency,
        // A job whose process died is handed out again; the sweep would find its row all the same.
        maxStalledCount: 10,
      },
    );
    // The connection logs that Redis is away; without a listener the event would be thrown.
    worker.on("error", (error) => log.debug({ work: work.name, error: error.message }, "worker error"));
    return worker;
  }

  async function sweep(work: DurableWork): Promise<void> {
    const pausesOfWork = pauses.get(work.name) as RetryPauses;
    while (!stopping.signal.aborted) {
      try {
        const ids = await work.due(SWEEP_LIMIT);
        lookedAtMs.set(work.name, performance.now());
        metrics.due.set({ work: work.name }, ids.length);
        for (const id of ids) if (pausesOfWork.mayRun(id, Date.now())) wakeUps.wakeOnce(work.name, id);
      } catch (cause) {
        log.warn({ work: work.name, error: cause }, "due work cannot be read");
      }
      await pause(sweepMs, stopping.signal);
    }
  }

  return {
    start() {
      for (const work of works) {
        lookedAtMs.set(work.name, performance.now());
        workers.push(startWorker(work));
        sweeps.push(sweep(work));
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all(sweeps);
      const closed = Promise.all(workers.map((worker) => worker.close()));
      await Promise.all(running);
      await settledWithin(closed, CLOSE_MS);
    },
    healthy: () =>
      workers.length === works.length &&
      workers.every((worker) => worker.isRunning()) &&
      [...lookedAtMs.values()].every((at) => performance.now() - at < sweepMs + LOOK_OVERDUE_MS),
  };
}
