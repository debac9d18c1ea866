/** ChaCha20 and SipHash against published vectors, and what the generator promises. */
import {
  chachaBlock,
  fillRandom,
  initializeRandom,
  keySipHash,
  random32,
  random64,
  RANDOM_SIZE,
  seedRandom,
  setSipHashKey,
  sipHash,
  sipHashLong,
} from "../../kernel/random";
import { growMemory } from "../arena";

const storage: usize = growMemory(RANDOM_SIZE, 8);
const room: usize = growMemory(65536, 8);

function hex(address: usize, length: usize): string {
  let text = "";
  for (let at: usize = 0; at < length; at++)
    text += load<u8>(address + at)
      .toString(16)
      .padStart(2, "0");
  return text;
}

function fresh(seed: u64): void {
  initializeRandom(storage);
  seedRandom(seed);
}

describe("chacha20", () => {
  it("gives the block of RFC 8439, 2.3.2", () => {
    const key = room + 256;
    for (let at = 0; at < 32; at++) store<u8>(key + at, <u8>at);
    chachaBlock(room, room + 128, key, 1, 0x09000000, 0x4a000000, 0);
    expect<string>(hex(room, 64)).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    );
  });

  it("gives the key stream of RFC 8439, A.1, test vector 1", () => {
    memory.fill(room, 0, 512);
    chachaBlock(room, room + 128, room + 256, 0, 0, 0, 0);
    expect<string>(hex(room, 32)).toBe("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
  });
});

describe("random", () => {
  it("hands out the key stream behind the next key", () => {
    initializeRandom(storage);
    // No seed: the key is zero, and the stream is that of A.1 from its 33rd byte on.
    fillRandom(room, 32);
    expect<string>(hex(room, 32)).toBe("da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  });

  it("keeps nothing of what it handed out", () => {
    fresh(42);
    for (let step = 0; step < 200; step++) {
      const value = random64();
      for (let at: usize = 0; at <= RANDOM_SIZE - 8; at++) {
        assert(load<u64>(storage + at) != value, "still in the state");
      }
    }
    for (let step = 0; step < 200; step++) {
      fillRandom(room, 20);
      for (let at: usize = 0; at <= RANDOM_SIZE - 8; at++) {
        assert(load<u64>(storage + at) != load<u64>(room, 8), "still in the state");
      }
    }
  });

  it("holds its key once", () => {
    fresh(43);
    random32();
    const key = load<u64>(storage);
    for (let at: usize = 8; at <= RANDOM_SIZE - 8; at++)
      assert(load<u64>(storage + at) != key, "a copy of the key");
    expect<u64>(key).not.toBe(0);
  });

  it("gives the same for the same seeds, and another for others", () => {
    fresh(1);
    const a = random64();
    fresh(1);
    expect<u64>(random64()).toBe(a);
    fresh(2);
    expect<u64>(random64()).not.toBe(a);
    fresh(1);
    seedRandom(0);
    expect<u64>(random64()).not.toBe(a);
    initializeRandom(storage);
    seedRandom(0);
    seedRandom(1);
    expect<u64>(random64()).not.toBe(a, "the order counts");
  });

  it("does not repeat its stream when it is seeded again in between", () => {
    fresh(7);
    random32();
    const b = random64();
    fresh(7);
    random32();
    seedRandom(0);
    expect<u64>(random64()).not.toBe(b);
  });

  it("fills any length and not a byte more", () => {
    fresh(3);
    for (let length: usize = 0; length < 700; length++) {
      memory.fill(room, 0, 1024);
      fillRandom(room + 8, length);
      assert(load<u64>(room) == 0 && load<u64>(room + 8 + length) == 0, "beyond the range");
      if (length > 16) assert(load<u64>(room + 8 + length - 8) != 0, "up to the end");
    }
  });

  it("has every bit set half of the time", () => {
    fresh(4);
    const ones = new StaticArray<u32>(64);
    for (let step = 0; step < 10000; step++) {
      const value: u64 = step & 1 ? random64() : ((<u64>random32()) << 32) | random32();
      for (let bit = 0; bit < 64; bit++) ones[bit] += u32((value >> bit) & 1);
    }
    // 5000 ± 6 standard deviations
    for (let bit = 0; bit < 64; bit++) assert(ones[bit] > 4700 && ones[bit] < 5300, "a biased bit");
  });
});

describe("siphash", () => {
  it("gives the reference vector for 16 bytes", () => {
    setSipHashKey(0x0706050403020100, 0x0f0e0d0c0b0a0908);
    expect<u64>(sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908)).toBe(0x3f2acc7f57c29bdb);
  });

  it("gives the reference vector for 56 bytes", () => {
    setSipHashKey(0x0706050403020100, 0x0f0e0d0c0b0a0908);
    for (let i: usize = 0; i < 40; i++) store<u8>(room + i, <u8>(16 + i));
    expect<u64>(sipHashLong(0x0706050403020100, 0x0f0e0d0c0b0a0908, room, 5)).toBe(0xb78dbfaf3a8d83bd);
  });

  it("depends on its key, on both words and on their order", () => {
    fresh(5);
    keySipHash();
    const a = sipHash(1, 2);
    expect<u64>(sipHash(1, 2)).toBe(a);
    expect<u64>(sipHash(2, 1)).not.toBe(a);
    expect<u64>(sipHash(1, 3)).not.toBe(a);
    keySipHash();
    expect<u64>(sipHash(1, 2)).not.toBe(a);
  });
});
