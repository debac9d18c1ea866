/** RFC 9293, 3.4.1 and RFC 6528: initial sequence numbers. */
import { chance, seedChance } from "../../chance";
import { bind, close, connect, create } from "./ends";
import { expectNothingLeft } from "./pair";
import { meetPeer } from "./script";
import { outbox, OWN, PEER, run, time } from "./world";

/** The sequence number of the SYN with which a new connection from port `from` to PEER begins. */
function firstNumber(from: u32, to: u32): u32 {
  const one = create();
  assert(bind(one, OWN, from) == 0);
  outbox.length = 0;
  connect(one, PEER, to);
  const number = bswap<u32>(load<u32>(outbox[0].dataStart, 24));
  close(one);
  outbox.length = 0;
  return number;
}

describe("initial sequence numbers", () => {
  beforeAll(() => {
    meetPeer();
    seedChance(44);
  });
  afterEach(expectNothingLeft);

  it("MUST-8: initial sequence numbers follow a clock of 4 microseconds", () => {
    for (let i = 0; i < 50; i++) {
      const first = firstNumber(7000, 9);
      const start = time;
      run(<u64>chance(2000000000));
      const second = firstNumber(7000, 9);
      expect(second - first).toBe(<u32>(time / 4000) - <u32>(start / 4000));
    }
  });

  it("MUST-9: what one four-tuple has tells nothing of another's", () => {
    // With the clock standing still, the differences between neighbours are spread over all of the space.
    let high: u32 = 0;
    const seen = new Set<u32>();
    let last = firstNumber(7000, 1);
    for (let i: u32 = 2; i < 1002; i++) {
      const number = firstNumber(7000, i);
      seen.add(number - last);
      if (number - last >= 0x80000000) high++;
      last = number;
    }
    expect(seen.size).toBe(1000);
    expect(high > 400 && high < 600).toBe(true, high.toString());
  });
});
