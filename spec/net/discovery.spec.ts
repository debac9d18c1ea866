/** Neighbour discovery: states, what is believed, bounds, hostile messages. */
import { now } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, bufferPool, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { ipv6Output } from "../../net/ipv6-output";
import {
  CLASS_LEARNED,
  CLASS_PENDING,
  LEARNED_LIMIT,
  Neighbour,
  neighbourCount,
  neighbourFind,
  PENDING_LIMIT,
} from "../../net/neighbour-cache";
import {
  DELAY_TIME,
  NEIGHBOUR_DELAY,
  NEIGHBOUR_INCOMPLETE,
  NEIGHBOUR_PROBE,
  NEIGHBOUR_REACHABLE,
  NEIGHBOUR_STALE,
} from "../../net/neighbours";
import { REACHABLE_TIME, RETRY_TIME } from "../../net/link-parameters";
import { NEIGHBOUR_QUEUE_TOTAL, neighbourQueued } from "../../net/neighbour-queue";
import { defaultRouter } from "../../net/routers";
import { registerTransport } from "../../net/transports";
import { NA_OVERRIDE, NA_ROUTER, NA_SOLICITED } from "../../net/wire/icmpv6";
import { EthernetHeader } from "../../net/wire/ethernet";
import { Ipv6Header } from "../../net/wire/ipv6";
import { Flow } from "../../net/flow";
import { deliver, NETWORK } from "./frames";
import * as frames from "./frames";
import * as six from "./frames6";
import {
  address6,
  boot6,
  countOf,
  deliver6,
  from,
  GROUP,
  lastOf,
  LINK_LOCAL,
  neighbour,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  sent,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { OWN4, PEER4 } from "./link";

const SCTP: u32 = 132;
const SOLICITED = NA_SOLICITED | NA_OVERRIDE;
let errors: u32 = 0;
let errorCode: u32 = 0;

function error(type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32): void {
  errors++;
  errorCode = code;
}

function boot(): void {
  boot6();
  errors = 0;
  registerTransport(SCTP, 0, 0, error.index);
}

function send(low: u64): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM)!;
  buffer.length = 30;
  const result = ipv6Output(buffer, address6(0, 0), address6(LINK_LOCAL, low), SCTP, 64);
  releaseBuffer(buffer);
  return result;
}

function peer(): Neighbour {
  return neighbourFind(LINK_LOCAL, PEER_ID)!;
}

/** An advertisement of the peer's. */
function answer(flags: u32, option: u32, link4: u16): void {
  neighbour(136, LINK_LOCAL, PEER_ID, flags, option, link4);
  deliver6();
}

/** Packets of SCTP that were sent. */
function packets(): u32 {
  let count: u32 = 0;
  for (let i = 0; i < sent.length; i++) if (sent[i].isIpv6 && sent[i].network.nextHeader == SCTP) count++;
  return count;
}

function resolve(): void {
  send(PEER_ID);
  answer(SOLICITED, 2, PEER4);
  assert(peer().state == NEIGHBOUR_REACHABLE, "resolved");
  six.forgetSent();
}

describe("neighbour discovery", () => {
  beforeEach(boot);

  it("asks the solicited-node group, keeps packets, and sends them in order with the answer", () => {
    for (let i = 0; i < 3; i++) send(PEER_ID);
    expect<u32>(countOf(135)).toBe(1);
    const question = lastOf(135);
    expect<bool>(question.isSound).toBe(true);
    expect<bool>(question.destination.same(address6(GROUP, 0x1_ff00_0002))).toBe(true);
    expect<bool>(question.source.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<bool>(question.target.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<u32>(question.network.hopLimit).toBe(255);
    expect<u32>(<u32>load<u16>(question.transport, 24)).toBe(0x0101);
    expect<u32>(<u32>load<u16>(question.transport, 30)).toBe(OWN4);
    expect<u32>(neighbourQueued()).toBe(3);
    expect<u32>(packets()).toBe(0);
    answer(SOLICITED, 2, PEER4);
    expect<u32>(packets()).toBe(3);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(<u32>changetype<EthernetHeader>(sent[sent.length - 1].frame).destination4).toBe(PEER4);
    expect<u8>(peer().state).toBe(NEIGHBOUR_REACHABLE);
  });

  it("gives up after three questions, and tells the transport", () => {
    for (let i = 0; i < 3; i++) send(PEER_ID);
    link.run(4 * RETRY_TIME);
    expect<u32>(countOf(135)).toBe(3);
    expect<bool>(neighbourFind(LINK_LOCAL, PEER_ID) === null).toBe(true);
    expect<u32>(errors).toBe(3);
    expect<u32>(errorCode).toBe(1);
    expect<u64>(networkCounters().arpUnresolved).toBe(3);
  });

  it("goes from REACHABLE by STALE and DELAY to PROBE, asks the neighbour alone, and starts anew", () => {
    resolve();
    link.run(2 * REACHABLE_TIME);
    expect<u8>(peer().state).toBe(NEIGHBOUR_STALE);
    send(PEER_ID);
    expect<u32>(packets()).toBe(1);
    expect<u8>(peer().state).toBe(NEIGHBOUR_DELAY);
    expect<u32>(countOf(135)).toBe(0);
    link.run(DELAY_TIME + RETRY_TIME / 2);
    expect<u8>(peer().state).toBe(NEIGHBOUR_PROBE);
    expect<u32>(countOf(135)).toBe(1);
    expect<bool>(lastOf(135).destination.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    send(PEER_ID);
    expect<u32>(packets()).toBe(2);
    answer(SOLICITED, 0, 0);
    expect<u8>(peer().state).toBe(NEIGHBOUR_REACHABLE);
    link.run(2 * REACHABLE_TIME);
    send(PEER_ID);
    link.run(DELAY_TIME + 4 * RETRY_TIME);
    expect<bool>(neighbourFind(LINK_LOCAL, PEER_ID) === null).toBe(true);
  });

  it("answers who asks for us, and learns from it what we verify when we use it", () => {
    neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, PEER4);
    to(GROUP, OWN_GROUP_LOW);
    deliver6();
    const reply = lastOf(136);
    expect<bool>(reply.isSound).toBe(true);
    expect<u32>(reply.icmp.rest).toBe(SOLICITED);
    expect<bool>(reply.target.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<bool>(reply.destination.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<u32>(<u32>load<u16>(reply.transport, 24)).toBe(0x0102);
    expect<u32>(<u32>changetype<EthernetHeader>(reply.frame).destination4).toBe(PEER4);
    // The reply was a use.
    expect<u8>(peer().state).toBe(NEIGHBOUR_DELAY);
    // Who wants to have our address is told by all hearing it.
    neighbour(135, LINK_LOCAL, OWN_ID, 0, 0, 0);
    from(0, 0);
    to(GROUP, OWN_GROUP_LOW);
    deliver6();
    expect<u32>(lastOf(136).icmp.rest).toBe(NA_OVERRIDE);
    expect<bool>(lastOf(136).destination.same(address6(GROUP, 1))).toBe(true);
  });

  it("follows RFC 4861, 7.2.5, in what an advertisement changes", () => {
    // Without an address that we asked for, it says nothing.
    send(PEER_ID);
    answer(SOLICITED, 0, 0);
    expect<u8>(peer().state).toBe(NEIGHBOUR_INCOMPLETE);
    // Unsolicited, it gives the address, and no more.
    answer(0, 2, PEER4);
    expect<u8>(peer().state).toBe(NEIGHBOUR_DELAY);
    expect<u32>(packets()).toBe(1);
    resolveAgain();
    // Another address, without override: doubt.
    answer(NA_SOLICITED, 2, 0x7700);
    expect<u8>(peer().state).toBe(NEIGHBOUR_STALE);
    expect<u32>(<u32>peer().link4).toBe(PEER4);
    answer(0, 2, 0x7700);
    expect<u32>(<u32>peer().link4).toBe(PEER4);
    // With override: it has moved; nobody was asked, so nothing says that it can be reached.
    answer(SOLICITED, 2, 0x7700);
    expect<u32>(<u32>peer().link4).toBe(0x7700);
    expect<u8>(peer().state).toBe(NEIGHBOUR_STALE);
    // The same address again changes nothing.
    resolveAgain();
    answer(NA_OVERRIDE, 2, <u16>peer().link4);
    expect<u8>(peer().state).toBe(NEIGHBOUR_REACHABLE);
  });

  it("makes no entry for what nobody asked for, and none of what is malformed", () => {
    const counters = networkCounters();
    answer(SOLICITED, 2, PEER4);
    expect<bool>(neighbourFind(LINK_LOCAL, PEER_ID) === null).toBe(true);
    expect<u64>(counters.arpUnsolicited).toBe(1);
    // Solicited, but to a group.
    send(PEER_ID);
    neighbour(136, LINK_LOCAL, PEER_ID, SOLICITED, 2, PEER4);
    to(GROUP, 1);
    deliver6();
    // About a group; a link address of a group.
    neighbour(136, GROUP, 1, SOLICITED, 2, PEER4);
    deliver6();
    neighbour(136, LINK_LOCAL, PEER_ID, SOLICITED, 2, PEER4);
    store<u8>(TRANSPORT6 + 26, 0x33);
    deliver6();
    expect<u64>(counters.ndMalformed).toBe(3);
    expect<u8>(peer().state).toBe(NEIGHBOUR_INCOMPLETE);
  });

  it("refuses every message with another hop limit, code, length or option, or behind an extension header", () => {
    const counters = networkCounters();
    send(PEER_ID);
    let bad: u64 = 0;
    for (let type: u32 = 134; type <= 136; type++) {
      for (let limit: u32 = 0; limit < 255; limit++) {
        neighbour(type, LINK_LOCAL, type == 136 ? PEER_ID : OWN_ID, SOLICITED, type == 136 ? 2 : 1, PEER4);
        changetype<Ipv6Header>(NETWORK).hopLimit = limit;
        deliver6();
        bad++;
      }
      neighbour(type, LINK_LOCAL, type == 136 ? PEER_ID : OWN_ID, SOLICITED, type == 136 ? 2 : 1, PEER4);
      store<u8>(TRANSPORT6, 1, 1);
      deliver6();
      bad++;
      // Option of no length, and one beyond the end.
      for (let units: u32 = 0; units < 256; units++) {
        if (units == 1 || (type == 134 && units == 2)) continue;
        neighbour(type, LINK_LOCAL, type == 136 ? PEER_ID : OWN_ID, SOLICITED, type == 136 ? 2 : 1, PEER4);
        store<u8>(TRANSPORT6 + (type == 134 ? 16 : 24), <u8>units, 1);
        deliver6();
        if (type != 134) bad++;
      }
    }
    expect<u64>(counters.ndMalformed).toBeGreaterThan(bad - 1);
    expect<u8>(peer().state).toBe(NEIGHBOUR_INCOMPLETE);
    // Hop-by-hop in front of it, and an atomic fragment (RFC 6980).
    const before = counters.ndMalformed;
    for (let kind: u32 = 0; kind < 2; kind++) {
      neighbour(136, LINK_LOCAL, PEER_ID, SOLICITED, 2, PEER4);
      six.checksum6(58, 2);
      memory.copy(TRANSPORT6 + 8, TRANSPORT6, 32);
      store<u64>(TRANSPORT6, kind == 0 ? 0x0000_0000_0401_003a : 0x3a);
      const header = changetype<Ipv6Header>(NETWORK);
      header.nextHeader = kind == 0 ? 0 : 44;
      header.payloadLength = 40;
      frames.setFrameLength(14 + 80);
      deliver();
    }
    expect<u64>(counters.ndMalformed - before).toBe(2);
    expect<u8>(peer().state).toBe(NEIGHBOUR_INCOMPLETE);
  });

  it("ignores who asks from off the link, and redirects", () => {
    neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, PEER4);
    from(0x2001_0db8_0bad_0000, 5);
    deliver6();
    expect<u32>(countOf(136)).toBe(0);
    expect<u64>(networkCounters().arpUnsolicited).toBe(1);
    expect<bool>(neighbourFind(0x2001_0db8_0bad_0000, 5) === null).toBe(true);
    const ignored = networkCounters().icmpIgnored;
    six.icmpv6(137, 40);
    deliver6();
    expect<u64>(networkCounters().icmpIgnored).toBe(ignored + 1);
    expect<bool>(defaultRouter() === null).toBe(true);
  });

  it("takes a router that says it is none any more from the list", () => {
    resolve();
    six.routerAdvertisement(1800, 0);
    deliver6();
    expect<bool>(defaultRouter() !== null).toBe(true);
    answer(NA_OVERRIDE | NA_ROUTER, 2, PEER4);
    expect<bool>(defaultRouter() !== null).toBe(true);
    answer(NA_OVERRIDE, 2, PEER4);
    expect<bool>(defaultRouter() === null).toBe(true);
  });

  it("is not driven out by floods: the neighbour in use stays, the packets that wait are bounded", () => {
    resolve();
    for (let i: u64 = 0; i < 5000; i++) {
      neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, <u16>i);
      from(LINK_LOCAL, 0x9999_0000 + i);
      deliver6();
      if ((i & 3) == 0) send(0x7777_0000 + i);
      assert(neighbourQueued() <= NEIGHBOUR_QUEUE_TOTAL, "bounded");
    }
    expect<u32>(neighbourCount(CLASS_LEARNED)).toBeLessThan(LEARNED_LIMIT + 1);
    expect<u32>(neighbourCount(CLASS_PENDING)).toBeLessThan(PENDING_LIMIT + 1);
    six.forgetSent();
    send(PEER_ID);
    expect<u32>(packets()).toBe(1);
    expect<u32>(<u32>changetype<EthernetHeader>(lastPacket()).destination4).toBe(PEER4);
    link.run(20 * RETRY_TIME);
    expect<u32>(neighbourCount(CLASS_PENDING)).toBe(0);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("keeps its bounds in 50,000 random messages, and takes no buffer with it", () => {
    const start = now();
    for (let round = 0; round < 50_000; round++) {
      const type = 133 + (link.random() % 5);
      neighbour(
        type,
        LINK_LOCAL,
        OWN_ID + (link.random() % 8),
        link.random(),
        link.random() % 4,
        <u16>link.random(),
      );
      from(link.random() & 1 ? LINK_LOCAL : 0, link.random() % 3 == 0 ? 0 : OWN_ID + 1 + (link.random() % 8));
      if (link.random() & 1) to(GROUP, link.random() & 1 ? 1 : OWN_GROUP_LOW);
      if ((link.random() & 7) == 0) store<u8>(TRANSPORT6 + (link.random() & 31), <u8>link.random());
      if (link.random() & 1) send(OWN_ID + 1 + (link.random() % 8));
      deliver6();
      if ((link.random() & 15) == 0) link.run(link.random() % 1_000_000_000);
      if (sent.length > 1000) six.forgetSent();
    }
    link.run(20 * RETRY_TIME);
    expect<u64>(now() - start).toBeGreaterThan(1_000_000_000);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });
});

/** PEER is REACHABLE again at the address that we know. */
function resolveAgain(): void {
  if (peer().state == NEIGHBOUR_STALE) send(PEER_ID);
  link.run(DELAY_TIME + RETRY_TIME / 2);
  answer(NA_SOLICITED, 0, 0);
  assert(peer().state == NEIGHBOUR_REACHABLE, "reachable again");
}

function lastPacket(): usize {
  return sent[sent.length - 1].frame;
}
