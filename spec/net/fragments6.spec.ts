/** RFC 8200, 4.5: fragments, as far as only IPv6 has it: headers in front of and behind the fragment header, and who is told what. */
import { SECOND } from "../../kernel/time/clock";
import { networkCounters } from "../../net/counters";
import { REASSEMBLY_TIME } from "../../net/reassembly";
import { FragmentHeader, Ipv6Header } from "../../net/wire/ipv6";
import { error, PARAMETER_PROBLEM, TIME_EXCEEDED, wrapped } from "./fragments6";
import { deliver } from "./frames";
import * as six from "./frames6";
import { GROUP, TRANSPORT6 } from "./frames6";
import * as link from "./link";
import {
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  forget,
  fragmentHeader,
  holds,
  make,
  packets,
  peerAnswers,
  piece,
} from "./pieces";

describe("fragments of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  it("may have extension headers in front of the fragment header, and behind it", () => {
    const socket = bound(7);
    const sizes: u32[] = [1000, 5000];
    for (let i = 0; i < sizes.length; i++) {
      const length = make(i, sizes[i]);
      for (let before: u32 = 0; before < 3; before++) {
        for (let behind: u32 = 0; behind < 3; behind++) {
          for (let offset: u32 = 0; offset < length; offset += 1024)
            wrapped(
              i * 9 + before * 3 + behind,
              offset,
              min<u32>(1024, length - offset),
              offset + 1024 < length,
              before,
              behind,
            );
          expect<bool>(holds(socket, i, sizes[i])).toBe(true, `${sizes[i]} ${before} ${behind}`);
        }
      }
    }
    // Options are looked at once all is there, too: this one nobody knows, and the sender is told where it stands.
    six.ipv6(44, 8 + 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 99, 0, true);
    store<u64>(TRANSPORT6 + 8, 0x0000_0000_0480_0011);
    forget();
    deliver();
    expect<i32>(packets.length).toBe(0);
    six.ipv6(44, 8 + 8);
    fragmentHeader(TRANSPORT6, 17, 99, 24, false);
    deliver();
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (2 << 8) | 50);
    close(socket);
  });

  it("that are the whole packet have nothing to do with others of the same identification (RFC 6946)", () => {
    const socket = bound(7);
    const length = make(1, 2000);
    piece(5, 0, 1480, true);
    const small = make(2, 100);
    piece(5, 0, small, false);
    expect<bool>(holds(socket, 2, 100)).toBe(true);
    make(1, 2000);
    piece(5, 1480, length - 1480, false);
    expect<bool>(holds(socket, 1, 2000)).toBe(true);
    expect<u64>(networkCounters().ipFragments).toBe(2);
    close(socket);
  });

  it("time out after 60 seconds: whoever has sent the first is told", () => {
    make(1, 3000);
    piece(1, 0, 1480, true);
    piece(2, 1480, 1480, true);
    link.run(REASSEMBLY_TIME + SECOND);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(2);
    peerAnswers();
    expect<i32>(packets.length).toBe(1);
    expect<u32>(error()).toBe(TIME_EXCEEDED);
    expect<u32>(changetype<Ipv6Header>(packets[0]).payloadLength).toBe(1240);
    expect<u32>(changetype<FragmentHeader>(packets[0] + 88).identification).toBe(1);
    expect<i32>(memory.compare(packets[0] + 96, DATAGRAM, 1280 - 96)).toBe(0);
  });

  it("of an error make no error", () => {
    make(1, 3000);
    const types: u32[] = [1, 2, 3, 4, 137, 100];
    for (let i = 0; i < types.length; i++) {
      store<u8>(DATAGRAM, <u8>types[i]);
      piece(i, 0, 1480, true, 58);
      piece(50 + i, 0, 1479, true, 58);
    }
    link.run(REASSEMBLY_TIME + SECOND);
    peerAnswers();
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(types.length);
    expect<i32>(packets.length).toBe(0);
  });

  it("do not come back as an error when they were for a group", () => {
    make(1, 3000);
    piece(1, 0, 1480, true);
    six.to(GROUP, 1);
    changetype<FragmentHeader>(TRANSPORT6).identification = 2;
    deliver();
    link.run(REASSEMBLY_TIME + SECOND);
    peerAnswers();
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(2);
    expect<i32>(packets.length).toBe(1);
  });
});
