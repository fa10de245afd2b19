/** What is smaller comes from the runtime's own pool. */
const SMALLEST_BYTES = 8 * 1024;
/** Entries of a second or so at full load: more is given back to the system. */
const SPARE_BYTES = 64 * 1024 * 1024;

/**
 * Memory of entries, used again. At full load some hundred megabytes go through it in a second, and all of it is held for a
 * while: freshly taken from the system each time, it costs a page fault for every 4 KiB and keeps the garbage collector busy.
 */
export class EntryBuffers {
  /** By size: SMALLEST_BYTES and its doubles. */
  readonly #spare: ArrayBufferLike[][] = [];
  readonly #maxBytes: number;
  #spareBytes = 0;

  constructor(maxBytes = SPARE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Room for an entry of this length, whatever stands in it. */
  take(length: number): Buffer {
    if (length < SMALLEST_BYTES) return Buffer.allocUnsafe(length);
    const spare = this.#spare[sizeClass(length)]?.pop();
    if (spare === undefined) return Buffer.allocUnsafeSlow(bytesOf(sizeClass(length))).subarray(0, length);
    this.#spareBytes -= spare.byteLength;
    return Buffer.from(spare, 0, length);
  }

  /** @param bytes nobody's any more; what is not from `take` is left to the runtime */
  giveBack({ length, buffer }: Buffer): void {
    const size = sizeClass(length);
    if (length < SMALLEST_BYTES || buffer.byteLength !== bytesOf(size)) return;
    if (this.#spareBytes + buffer.byteLength > this.#maxBytes) return;
    while (this.#spare.length <= size) this.#spare.push([]);
    this.#spare[size]?.push(buffer);
    this.#spareBytes += buffer.byteLength;
  }
}

const sizeClass = (length: number): number => Math.max(0, Math.ceil(Math.log2(length / SMALLEST_BYTES)));
const bytesOf = (size: number): number => SMALLEST_BYTES * 2 ** size;
