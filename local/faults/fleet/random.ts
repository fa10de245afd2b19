const GOLDEN = 0x9e3779b9;

/** Numbers from 0 up to 1, the same for the same seed (Marsaglia's xorshift with 32 bits: no secret may come from it). */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed + 1, GOLDEN) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}
