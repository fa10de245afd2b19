import { BoundedWork } from "./bounded-work.ts";

export interface QuestionBatchesDeps<Question, Answer> {
  /** Bounds what runs at a time: a batch is one piece of it, and so is a question that is decided alone. */
  work: BoundedWork;
  /** Batches that run at a time. While they do, the next one gathers. */
  parallel: number;
  /** Questions in a batch, at most. */
  maxBatch: number;
  /** Questions that wait for a batch, at most. */
  waiting: number;
  /** Answers in the questions' order; undefined for one that is to be decided alone. Never rejects. */
  decideTogether(questions: readonly Question[]): Promise<(Answer | undefined)[]>;
  decideAlone(question: Question): Promise<Answer>;
  onBatch(questions: number): void;
}

interface Waiting<Question, Answer> {
  question: Question;
  /** Monotonic ms: past it nobody waits for the answer any more. */
  giveUpAtMs: number;
  resolve(answer: Answer | undefined): void;
}

/**
 * Gathers questions while others are being decided: whoever comes alone is decided at once, and what comes faster than it
 * can be decided one by one is decided together.
 */
export class QuestionBatches<Question, Answer> {
  readonly #deps: QuestionBatchesDeps<Question, Answer>;
  /** Who waits for somebody else's lock keeps half of the places free for those who do not. */
  readonly #alone: BoundedWork;
  #queue: Waiting<Question, Answer>[] = [];
  /** Batches that run or are about to. */
  #running = 0;
  #inHand = 0;

  constructor(deps: QuestionBatchesDeps<Question, Answer>) {
    this.#deps = deps;
    this.#alone = new BoundedWork({ concurrency: Math.max(1, deps.work.concurrency >> 1), waiting: deps.waiting });
  }

  /** Questions that wait or are being decided. */
  get size(): number {
    return this.#queue.length + this.#inHand;
  }

  /** The answer; undefined when there is no room for the question, or when its time was over before its turn came. */
  ask(question: Question, giveUpAtMs: number): Promise<Answer | undefined> {
    if (this.#queue.length >= this.#deps.waiting) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#queue.push({ question, giveUpAtMs, resolve });
      this.#startBatch();
    });
  }

  #startBatch(): void {
    if (this.#running >= this.#deps.parallel || this.#queue.length === 0) return;
    this.#running += 1;
    // At the end of this turn of the event loop: what else came in it goes along.
    setImmediate(() => void this.#runBatch());
  }

  async #runBatch(): Promise<void> {
    let alone: Waiting<Question, Answer>[] = [];
    const ran = await this.#deps.work.run(async () => {
      alone = await this.#decide(this.#take());
      return true;
    });
    // No room even for this one.
    if (ran === undefined) for (const { resolve } of this.#queue.splice(0)) resolve(undefined);
    this.#running -= 1;
    this.#startBatch();
    for (const one of alone) void this.#decideAlone(one);
  }

  #take(): Waiting<Question, Answer>[] {
    const nowMs = performance.now();
    const taken: Waiting<Question, Answer>[] = [];
    let looked = 0;
    for (const one of this.#queue) {
      if (taken.length >= this.#deps.maxBatch) break;
      looked += 1;
      if (nowMs < one.giveUpAtMs) taken.push(one);
      else one.resolve(undefined);
    }
    this.#queue = this.#queue.slice(looked);
    return taken;
  }

  /** @returns those to be decided alone. */
  async #decide(batch: readonly Waiting<Question, Answer>[]): Promise<Waiting<Question, Answer>[]> {
    if (batch.length === 0) return [];
    this.#inHand += batch.length;
    this.#deps.onBatch(batch.length);
    const [only] = batch;
    const answers =
      batch.length === 1 && only !== undefined
        ? [await this.#deps.decideAlone(only.question)]
        : await this.#deps.decideTogether(batch.map(({ question }) => question));
    this.#inHand -= batch.length;
    return batch.filter((one, place) => {
      const answer = answers[place];
      if (answer !== undefined) one.resolve(answer);
      return answer === undefined;
    });
  }

  async #decideAlone({ question, giveUpAtMs, resolve }: Waiting<Question, Answer>): Promise<void> {
    this.#inHand += 1;
    const { work, decideAlone } = this.#deps;
    const inTime = async () => (performance.now() < giveUpAtMs ? decideAlone(question) : undefined);
    const answer = await this.#alone.run(() => work.run(inTime));
    this.#inHand -= 1;
    resolve(answer);
  }
}
