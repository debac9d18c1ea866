/**
 * Random numbers: ChaCha20 (RFC 8439, 2.3) with fast key erasure. Each refill makes 128 bytes of key stream; the first 32 are the next
 * key, the rest is handed out and wiped. Who reads the whole state learns nothing of what was handed out before.
 *
 * And SipHash-2-4 (Aumasson and Bernstein 2012) under a key of its own, for hash tables that a peer must not be able to fill at
 * one place and for initial sequence numbers (RFC 6528).
 *
 * Storage:  ├ key: 32 ┼ output: 128, the used part zero ┼ block: 64 ┤
 */

const KEY: usize = 32;
const OUTPUT: usize = 128;
const BLOCK: usize = 64;

/** Bytes that one refill makes to be handed out: so many cost one refill at most. */
export const RANDOM_REFILL: usize = OUTPUT - KEY;

/** Bytes of storage for initializeRandom. */
export const RANDOM_SIZE: usize = KEY + OUTPUT + BLOCK;

let storage: usize = 0;
/** Bytes of the output that are left; they are its last ones. */
let left: usize = 0;
let sipKey0: u64 = 0;
let sipKey1: u64 = 0;

/** Once at boot, ahead of seedRandom. `address`: RANDOM_SIZE bytes, 8-aligned. */
export function initializeRandom(address: usize): void {
  storage = address;
  memory.fill(address, 0, RANDOM_SIZE);
  left = 0;
}

/** Mixes in 64 bits, of whatever quality, at any time: they can add entropy, never take any away. */
export function seedRandom(entropy: u64): void {
  // The refill spreads it over the whole key, so that the next one may go to the same place.
  store<u64>(storage, load<u64>(storage) ^ entropy);
  refill();
}

/** Once at boot, after the first entropy and ahead of any hash table: draws the key of sipHash. */
export function keySipHash(): void {
  sipKey0 = random64();
  sipKey1 = random64();
}

/** Sets the key of sipHash: for test vectors. */
export function setSipHashKey(key0: u64, key1: u64): void {
  sipKey0 = key0;
  sipKey1 = key1;
}

export function random32(): u32 {
  if (left < 4) refill();
  const at = storage + (KEY + OUTPUT) - left;
  const value = load<u32>(at);
  store<u32>(at, 0);
  left -= 4;
  return value;
}

export function random64(): u64 {
  if (left < 8) refill();
  const at = storage + (KEY + OUTPUT) - left;
  const value = load<u64>(at);
  store<u64>(at, 0);
  left -= 8;
  return value;
}

/** Fills [address, address + length): a refill, some 4,400 instructions, for each RANDOM_REFILL bytes. So a caller with interrupts off bounds the length. */
export function fillRandom(address: usize, length: usize): void {
  while (length > 0) {
    if (left == 0) refill();
    const part = length < left ? length : left;
    const at = storage + (KEY + OUTPUT) - left;
    memory.copy(address, at, part);
    memory.fill(at, 0, part);
    left -= part;
    address += part;
    length -= part;
  }
}

/** SipHash-2-4 of the 16 bytes `a`, `b` (little-endian). */
export function sipHash(a: u64, b: u64): u64 {
  return sip(a, b, 0, 0);
}

/** The same with `words` (< 30) × 8 bytes at `more` behind them. */
export function sipHashLong(a: u64, b: u64, more: usize, words: u32): u64 {
  return sip(a, b, more, words);
}

// @ts-ignore: decorator
@inline
function sip(a: u64, b: u64, more: usize, words: u32): u64 {
  let v0 = sipKey0 ^ 0x736f6d6570736575;
  let v1 = sipKey1 ^ 0x646f72616e646f6d;
  let v2 = sipKey0 ^ 0x6c7967656e657261;
  let v3 = sipKey1 ^ 0x7465646279746573;
  // Two rounds for each word of the message, the last of which is its length, and four to finish.
  let message = a;
  for (let step: u32 = 0; ; step++) {
    v3 ^= message;
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 ^= message;
    if (step == 0) {
      message = b;
    } else if (step <= words) {
      message = load<u64>(more + <usize>(step - 1) * 8);
    } else if (step == words + 1) {
      message = (<u64>(words + 2)) << 59;
    } else if (step == words + 2) {
      message = 0;
      v2 ^= 0xff;
    } else if (step == words + 4) {
      break;
    }
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

/** A new key and RANDOM_REFILL bytes of output, some 4,300 instructions. */
function refill(): void {
  const output = storage + KEY;
  const work = output + OUTPUT;
  for (let at: usize = 0; at < OUTPUT; at += BLOCK) {
    chachaBlock(output + at, work, storage, <u32>(at / BLOCK), 0, 0, 0);
  }
  memory.copy(storage, output, KEY);
  memory.fill(output, 0, KEY);
  memory.fill(work, 0, BLOCK);
  left = RANDOM_REFILL;
}

/**
 * The ChaCha20 block function (RFC 8439, 2.3.1): 64 bytes at `output` from 32 bytes at `key`, the block counter and the nonce. `work`:
 * 64 bytes of scratch.
 */
export function chachaBlock(
  output: usize,
  work: usize,
  key: usize,
  counter: u32,
  nonce0: u32,
  nonce1: u32,
  nonce2: u32,
): void {
  store<u32>(output, 0x61707865, 0);
  store<u32>(output, 0x3320646e, 4);
  store<u32>(output, 0x79622d32, 8);
  store<u32>(output, 0x6b206574, 12);
  memory.copy(output + 16, key, KEY);
  store<u32>(output, counter, 48);
  store<u32>(output, nonce0, 52);
  store<u32>(output, nonce1, 56);
  store<u32>(output, nonce2, 60);
  memory.copy(work, output, BLOCK);
  for (let round = 0; round < 10; round++) {
    quarterRound(work, 0, 16, 32, 48);
    quarterRound(work, 4, 20, 36, 52);
    quarterRound(work, 8, 24, 40, 56);
    quarterRound(work, 12, 28, 44, 60);
    quarterRound(work, 0, 20, 40, 60);
    quarterRound(work, 4, 24, 44, 48);
    quarterRound(work, 8, 28, 32, 52);
    quarterRound(work, 12, 16, 36, 56);
  }
  for (let at: usize = 0; at < BLOCK; at += 4) {
    store<u32>(output + at, load<u32>(output + at) + load<u32>(work + at));
  }
}

/** RFC 8439, 2.1, on four words at byte offsets of the state. */
// @ts-ignore: decorator
@inline
function quarterRound(state: usize, ia: usize, ib: usize, ic: usize, id: usize): void {
  let a = load<u32>(state + ia);
  let b = load<u32>(state + ib);
  let c = load<u32>(state + ic);
  let d = load<u32>(state + id);
  a += b;
  d = rotl<u32>(d ^ a, 16);
  c += d;
  b = rotl<u32>(b ^ c, 12);
  a += b;
  d = rotl<u32>(d ^ a, 8);
  c += d;
  b = rotl<u32>(b ^ c, 7);
  store<u32>(state + ia, a);
  store<u32>(state + ib, b);
  store<u32>(state + ic, c);
  store<u32>(state + id, d);
}
