interface Task {
  tick: number;
  run: () => void;
}

const TICK_MS = 10;
const SLOTS = 4_096;
/** A burst of due tasks is spread over several turns, so that sockets are served in between. */
const LONGEST_TURN_MS = 8;

/** All timers of a process in one: thousands of stations wait for something, and hardly ever exactly. */
export class Wheel {
  readonly #nowMs: () => number;
  readonly #slots: Task[][] = Array.from({ length: SLOTS }, () => []);
  #due: Task[] = [];
  #tick: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#tick = Math.floor(nowMs() / TICK_MS);
  }

  /** Runs it in so many ms, or up to 10 ms later. It cannot be called off: whoever may change their mind looks again then. */
  after(delayMs: number, run: () => void): void {
    const tick = Math.max(this.#tick + 1, Math.ceil((this.#nowMs() + delayMs) / TICK_MS));
    this.#slots[tick % SLOTS]?.push({ tick, run });
  }

  /** Runs what is due. @returns whether something due had to be left for the next turn */
  turn(): boolean {
    const now = Math.floor(this.#nowMs() / TICK_MS);
    while (this.#tick < now) this.#collect((this.#tick += 1));
    const untilMs = this.#nowMs() + LONGEST_TURN_MS;
    let done = 0;
    while (done < this.#due.length) {
      (this.#due[done++] as Task).run();
      if (this.#nowMs() > untilMs) break;
    }
    this.#due = done === this.#due.length ? [] : this.#due.slice(done);
    return this.#due.length > 0;
  }

  #collect(tick: number): void {
    const slot = this.#slots[tick % SLOTS];
    if (slot === undefined || slot.length === 0) return;
    this.#slots[tick % SLOTS] = slot.filter((task) => task.tick > tick);
    for (const task of slot) if (task.tick <= tick) this.#due.push(task);
  }
}
