/** No node has so many connectors: a station that makes up new ones must not fill the memory. */
const MAX_CONNECTORS = 500_000;

/**
 * Tells readings that nobody can have filed before from those that a station may have sent already: of a lane, the newest
 * time that was seen of each connector. What it calls new may be there all the same, if another lane brought it.
 */
export class NewestSamples {
  readonly #newest = new Map<string, number>();

  /** Whether this reading is later than all before it of its connector. The first one is not: nothing is known of it. */
  isNew(stationId: string, connector: number, sampledAtMs: number): boolean {
    const key = `${stationId}/${connector}`;
    const before = this.#newest.get(key);
    if (before !== undefined && sampledAtMs <= before) return false;
    if (this.#newest.size >= MAX_CONNECTORS) this.#newest.clear();
    this.#newest.set(key, sampledAtMs);
    return before !== undefined;
  }
}
