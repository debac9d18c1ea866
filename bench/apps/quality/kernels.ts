/**
 * Programs that only compute, for `aot.quality`: native/ has the same ones in C, statement by statement, and their results have to agree. All work on `room`.
 */

/** Bytes that the programs work on. */
const ROOM: i32 = 524_288;
const room = memory.data(524_288, 64);

let random: u32 = 0;

function next(): u32 {
  random ^= random << 13;
  random ^= random >> 17;
  random ^= random << 5;
  return random;
}


@inline
function word(index: i32): u32 {
  return load<u32>(room + ((<usize>index) << 2));
}


@inline
function setWord(index: i32, value: u32): void {
  store<u32>(room + ((<usize>index) << 2), value);
}

/** Fills the room; the same each time. */
export function prepare(): void {
  random = 2463534242;
  for (let i = 0; i < ROOM >> 2; i++) setWord(i, next());
}

/** CRC-32 of IEEE 802.3, by a table of 256, which lies at the beginning. */
export function crc(): u32 {
  for (let i: u32 = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ 0xedb88320 : c >> 1;
    setWord(i, c);
  }
  let sum: u32 = 0xffffffff;
  for (let i = 1024; i < 200_000; i++) sum = word((sum ^ load<u8>(room + i)) & 255) ^ (sum >> 8);
  return ~sum;
}

/** Primes below 400,000. */
export function sieve(): u32 {
  const limit: u32 = 400_000;
  memory.fill(room, 0, limit);
  let primes: u32 = 0;
  for (let p: u32 = 2; p < limit; p++) {
    if (load<u8>(room + p)) continue;
    primes++;
    for (let multiple: u64 = <u64>p * p; multiple < limit; multiple += p)
      store<u8>(room + <usize>multiple, 1);
  }
  return primes;
}

/** Follows a list of 65,536 that is linked in no order, eight times round. */
export function chase(): u32 {
  const count: i32 = 65_536;
  for (let i = 0; i < count; i++) setWord(i, i);
  for (let i = count - 1; i > 0; i--) {
    const other = next() % <u32>i;
    const kept = word(i);
    setWord(i, word(other));
    setWord(other, kept);
  }
  let at: u32 = 0;
  let sum: u32 = 0;
  for (let i = 0; i < 8 * count; i++) {
    at = word(at);
    sum = sum * 31 + at;
  }
  return sum;
}

function sift(root: i32, end: i32): void {
  for (;;) {
    let child = 2 * root + 1;
    if (child >= end) return;
    if (child + 1 < end && word(child) < word(child + 1)) child++;
    const upper = word(root);
    const lower = word(child);
    if (upper >= lower) return;
    setWord(root, lower);
    setWord(child, upper);
    root = child;
  }
}

/** Heap sort of 32,768 numbers. */
export function sort(): u32 {
  const count: i32 = 32_768;
  for (let root = count / 2 - 1; root >= 0; root--) sift(root, count);
  for (let end = count - 1; end > 0; end--) {
    const first = word(0);
    setWord(0, word(end));
    setWord(end, first);
    sift(0, end);
  }
  let sum: u32 = 0;
  for (let i = 0; i < count; i++) sum = sum * 31 + word(i);
  return sum;
}

/** The product of two matrices of 64 x 64 numbers. */
export function multiply(): u32 {
  const size: i32 = 64;
  const a = room;
  const b = room + 64 * 64 * 8;
  const c = room + 2 * 64 * 64 * 8;
  for (let i = 0; i < 2 * size * size; i++) store<f64>(a + ((<usize>i) << 3), <f64>(next() & 1023) / 8);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      let sum: f64 = 0;
      for (let k = 0; k < size; k++)
        sum += load<f64>(a + ((<usize>(i * size + k)) << 3)) * load<f64>(b + ((<usize>(k * size + j)) << 3));
      store<f64>(c + ((<usize>(i * size + j)) << 3), sum);
    }
  let sum: f64 = 0;
  for (let i = 0; i < size * size; i++) sum += load<f64>(c + ((<usize>i) << 3));
  return <u32>(<i64>sum);
}
