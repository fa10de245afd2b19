/** Holds a good many entries; what is longer than a quarter of it is left to the runtime. */
const SLAB_BYTES = 4 * 1024 * 1024;
/** As much as is held of acknowledged entries (LaneLimits.tailBytes), so that it can come and go. */
const SPARE_BYTES = 64 * 1024 * 1024;

interface Slab {
  readonly memory: ArrayBuffer;
  usedBytes: number;
  /** That stand in it and were not given back. */
  entries: number;
}

/**
 * Memory of entries, used again. At full load some hundred megabytes go through it in a second, and all of it is held for a
 * while: freshly taken from the system each time, it costs a page fault for every 4 KiB, and each 20 MB of it a collection of
 * the whole heap. Entries stand one behind the other in slabs, whatever their length, and a slab is used again when all of its entries
 * were given back: they go in the order in which they came.
 */
export class EntryBuffers {
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  readonly #spare: Slab[] = [];
  readonly #slabBytes: number;
  readonly #mostSpare: number;
  #current: Slab | undefined;

  constructor(slabBytes = SLAB_BYTES, spareBytes = SPARE_BYTES) {
    this.#slabBytes = slabBytes;
    this.#mostSpare = Math.floor(spareBytes / slabBytes);
  }

  /** Room for an entry of this length, whatever stands in it. To be given back or let go. */
  take(length: number): Buffer {
    if (length > this.#slabBytes / 4) return Buffer.allocUnsafeSlow(length);
    const slab = this.#slabFor(length);
    const at = slab.usedBytes;
    slab.usedBytes += length;
    slab.entries += 1;
    return Buffer.from(slab.memory, at, length);
  }

  /** @param bytes nobody's any more */
  giveBack({ buffer }: Buffer): void {
    const slab = this.#slabs.get(buffer);
    if (slab === undefined) return;
    slab.entries -= 1;
    if (slab.entries > 0 || slab === this.#current) return;
    if (this.#spare.length < this.#mostSpare) this.#spare.push(slab);
    else this.#slabs.delete(buffer);
  }

  /** @param bytes that somebody may still look at: nothing is written over them, the runtime frees them when nobody can */
  letGo({ buffer }: Buffer): void {
    const slab = this.#slabs.get(buffer);
    if (slab === undefined) return;
    this.#slabs.delete(buffer);
    if (slab === this.#current) this.#current = undefined;
  }

  #slabFor(length: number): Slab {
    const current = this.#current;
    if (current?.entries === 0) current.usedBytes = 0;
    if (current !== undefined && current.usedBytes + length <= this.#slabBytes) return current;
    const slab = this.#spare.pop() ?? this.#newSlab();
    slab.usedBytes = 0;
    this.#current = slab;
    return slab;
  }

  #newSlab(): Slab {
    // Not filled with zeros.
    const memory = Buffer.allocUnsafeSlow(this.#slabBytes).buffer;
    const slab: Slab = { memory, usedBytes: 0, entries: 0 };
    this.#slabs.set(memory, slab);
    return slab;
  }
}
