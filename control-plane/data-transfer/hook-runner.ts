import { Worker } from "node:worker_threads";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { StationDataTransfer } from "./hook.ts";
import type { HookQuestion, HookWord } from "./hook-messages.ts";

/** How long a module may take to load. */
const LOAD_MS = 10_000;
/** So many faults in a row, and the hook is left alone for a while: its stations are answered, and nobody waits. */
const FAULTS_TO_PAUSE = 5;
const PAUSE_MS = 30_000;
/** A hook that needs more is not one for this process. */
const MAX_HEAP_MB = 256;

export interface HookRunnerDeps {
  /** File URL of the module. */
  url: string;
  timeoutMs: number;
  /** What the thread finds as its environment. */
  env: Readonly<Record<string, string>>;
  nowMs?: () => number;
}

interface Thread {
  worker: Worker;
  /** Opens when the hook said what it is. */
  ready: Promise<Result<{ vendorId: string; messageIds: readonly string[] | undefined }, string>>;
  waiting: Map<number, (answer: Result<unknown, string>) => void>;
}

/**
 * Runs one hook in a thread of its own. A hook that hangs costs its question the time limit, also when it hangs in a loop
 * that yields to nothing: the thread is replaced, and ended once what it still had to answer is over.
 */
export class HookRunner {
  readonly #deps: HookRunnerDeps;
  #thread: Thread | undefined;
  #lastId = 0;
  #faultsInARow = 0;
  #pausedUntilMs = 0;
  #stopped = false;

  constructor(deps: HookRunnerDeps) {
    this.#deps = deps;
  }

  /** What the module says it is, or what is wrong with it. */
  describe(): Thread["ready"] {
    return this.#open().ready;
  }

  /** The hook's answer, unchecked; or why there is none. Never rejects. */
  async ask(transfer: StationDataTransfer): Promise<Result<unknown, string>> {
    const nowMs = this.#deps.nowMs ?? Date.now;
    if (this.#stopped) return err("the process stops");
    if (nowMs() < this.#pausedUntilMs) return err("left alone after many faults");
    const thread = this.#open();
    const answer = await this.#question(thread, transfer);
    if (answer.ok) this.#faultsInARow = 0;
    else if (++this.#faultsInARow >= FAULTS_TO_PAUSE) {
      this.#faultsInARow = 0;
      this.#pausedUntilMs = nowMs() + PAUSE_MS;
    }
    return answer;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.worker.terminate();
  }

  #open(): Thread {
    return (this.#thread ??= this.#start());
  }

  #start(): Thread {
    // Beside this file, in whichever form it is run.
    const file = new URL(`./hook-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    const worker = new Worker(file, {
      workerData: { url: this.#deps.url },
      env: this.#deps.env,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    const waiting: Thread["waiting"] = new Map();
    const { promise: ready, resolve: isReady } = Promise.withResolvers<Awaited<Thread["ready"]>>();
    const timer = setTimeout(() => isReady(err("it does not finish loading")), LOAD_MS);
    worker.on("message", (word: HookWord) => {
      switch (word.kind) {
        case "ready":
          return isReady(ok({ vendorId: word.vendorId, messageIds: word.messageIds }));
        case "mistake":
          return isReady(err(word.reason));
        case "answer":
          return waiting.get(word.id)?.(ok(JSON.parse(word.answer)));
        case "fault":
          return waiting.get(word.id)?.(err(word.reason));
      }
    });
    const gone = (reason: string) => {
      if (this.#thread?.worker === worker) this.#thread = undefined;
      isReady(err(reason));
      for (const settle of waiting.values()) settle(err(reason));
    };
    worker.on("error", (fault: Error) => gone(fault.message));
    worker.on("exit", (code) => gone(`its thread ended with ${code}`));
    void ready.then(() => clearTimeout(timer));
    return { worker, ready, waiting };
  }

  #question(thread: Thread, transfer: StationDataTransfer): Promise<Result<unknown, string>> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const settle = (answer: Result<unknown, string>) => {
        clearTimeout(timer);
        thread.waiting.delete(id);
        resolve(answer);
        // Replaced after a timeout: it may still answer what was asked before.
        if (this.#thread !== thread && thread.waiting.size === 0) void thread.worker.terminate();
      };
      const timer = setTimeout(() => {
        if (this.#thread === thread) this.#thread = undefined;
        settle(err(`no answer within ${this.#deps.timeoutMs} ms`));
      }, this.#deps.timeoutMs);
      thread.waiting.set(id, settle);
      thread.worker.postMessage({ id, transfer } satisfies HookQuestion);
    });
  }
}
