/**
 * A source may have this many times what is still free. Alone it gets all but a ninth of the room, and whoever comes next
 * finds some; several end up with equal shares. No share is set aside for sources that are not there.
 */
const SHARE = 8;

/** Room that many sources share, none of which can take all of it. Keeps nothing of a source that has none of it. */
export class FairRoom {
  readonly #taken = new Map<string, number>();
  readonly #places: number;
  #total = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Places taken. */
  get size(): number {
    return this.#total;
  }

  /** Sources that have any. */
  get sources(): number {
    return this.#taken.size;
  }

  /** False: no place for this source now. After true `leave` is owed. */
  enter(source: string): boolean {
    const own = this.#taken.get(source) ?? 0;
    if (own >= SHARE * (this.#places - this.#total)) return false;
    this.#taken.set(source, own + 1);
    this.#total += 1;
    return true;
  }

  leave(source: string): void {
    const left = (this.#taken.get(source) ?? 0) - 1;
    this.#total -= 1;
    if (left > 0) this.#taken.set(source, left);
    else this.#taken.delete(source);
  }
}
