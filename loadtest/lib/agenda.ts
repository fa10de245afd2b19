interface Entry {
  at: number;
  /** Among those of one moment the first that came is the first that goes. */
  order: number;
  run(): void;
}

/**
 * What is due when, for all stations that one virtual user plays: a single timer serves them all. Its time is the fleet's own,
 * in seconds: it runs as fast as the pace says, so that a fleet can be hurried without changing what it says.
 */
export class Agenda {
  readonly #heap: Entry[] = [];
  #order = 0;
  #now = 0;

  /** Seconds of the fleet's time since the start. */
  get now(): number {
    return this.#now;
  }

  /** How much is waiting. */
  get size(): number {
    return this.#heap.length;
  }

  /** Puts something down for `seconds` from now. */
  after(seconds: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at: this.#now + seconds, order: this.#order++, run };
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  /** Lets so many seconds pass, and runs what has become due, in order. */
  advance(seconds: number): void {
    this.#now += seconds;
    for (let first = this.#heap[0]; first !== undefined && first.at <= this.#now; first = this.#heap[0]) {
      this.#removeFirst();
      first.run();
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap.length = 0;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right] as Entry, heap[left] as Entry) ? right : left;
      const below = heap[child] as Entry;
      if (!isBefore(below, last)) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = last;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
