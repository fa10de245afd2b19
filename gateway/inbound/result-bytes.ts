const HEAD = Buffer.from('[3,"', "latin1");

/** What stands behind the message id of a CALLRESULT. @param payload JSON of ASCII characters */
export const resultTail = (payload: string): Uint8Array => Buffer.from(`",${payload}]`, "latin1");

/**
 * CALLRESULTs as bytes. They are made in the same few places again and again, one for each length: a string per answer costs
 * more than all the rest of it but the system call.
 */
export class ResultBytes {
  readonly #byLength: Uint8Array[] = [];

  /**
   * @param idAt where the message id stands in `bytes`, up to `idEnd`: of ASCII characters that JSON does not escape
   * @returns the frame, good until the next is made
   */
  frame(bytes: Uint8Array, idAt: number, idEnd: number, tail: Uint8Array): Uint8Array {
    const tailAt = HEAD.length + idEnd - idAt;
    const frame = this.#ofLength(tailAt + tail.length);
    for (let at = HEAD.length, from = idAt; from < idEnd; at++, from++) frame[at] = bytes[from] as number;
    frame.set(tail, tailAt);
    return frame;
  }

  #ofLength(length: number): Uint8Array {
    // Every length up to it, without holes: V8 would make a dictionary of them.
    while (this.#byLength.length <= length) {
      const made = new Uint8Array(this.#byLength.length);
      made.set(HEAD.subarray(0, made.length));
      this.#byLength.push(made);
    }
    return this.#byLength[length] as Uint8Array;
  }
}
