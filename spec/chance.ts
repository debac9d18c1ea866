/** Reproducible chance for property tests (xorshift64*, Vigna 2014): independent of the kernel's own generator. */

let state: u64 = 1;

/** Starts the sequence that `seed` names. */
export function seedChance(seed: u64): void {
  state = seed * 0x9e3779b97f4a7c15 + 1;
  if (state == 0) state = 1;
}

export function chance64(): u64 {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1d;
}

/** 0 .. limit - 1 */
export function chance(limit: u32): u32 {
  return <u32>((chance64() >> 32) % limit);
}
