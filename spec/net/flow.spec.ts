/** Addresses, flows, and what the transports ask of the network layer. */
import { ENETUNREACH } from "../../kernel/errno";
import { setSipHashKey } from "../../kernel/random";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { checksumFold, pseudoHeaderSum } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import {
  Endpoint,
  Flow,
  FLOW_SIZE,
  flowHash,
  HASH_TIMESTAMP,
  HASH_TABLE,
  LOOPBACK_ADDRESS,
} from "../../net/flow";
import { chooseSource, ipOutput, isForAll, isHost, isOurs, receivedFlow } from "../../net/ip";
import { registerTransport } from "../../net/transports";
import { growMemory } from "../arena";
import * as addresses from "./addresses";
import { endpoint, flowOf } from "./addresses";
import * as frames from "./frames";
import { deliver } from "./frames";
import * as link from "./link";
import { OWN, PEER } from "./link";
import { boot } from "./recorder";

const SCTP: u32 = 132;

const a = changetype<Flow>(growMemory(FLOW_SIZE, 8));
const b = changetype<Flow>(growMemory(FLOW_SIZE, 8));
let received: u32 = 0;

function random64(): u64 {
  return ((<u64>link.random()) << 32) | link.random();
}

/** An IPv6 flow. */
function wide(flow: Flow): void {
  flow.local.high = random64() | 1;
  flow.local.low = random64();
  flow.local.port = link.random() & 0xffff;
  flow.remote.high = random64() | 1;
  flow.remote.low = random64();
  flow.remote.port = link.random() & 0xffff;
}

/** Changes bit `bit` of the four-tuple: 128 of each address, 16 of each port. */
function flip(flow: Flow, bit: u32): void {
  const end = bit < 144 ? flow.local : flow.remote;
  bit %= 144;
  if (bit < 64) end.high ^= (<u64>1) << bit;
  else if (bit < 128) end.low ^= (<u64>1) << (bit - 64);
  else end.port ^= 1 << (bit - 128);
}

function words(value: u64): u64 {
  return (value & 0xffff) + ((value >> 16) & 0xffff) + ((value >> 32) & 0xffff) + (value >> 48);
}

/** RFC 8200, 8.1, word by word, folded; in memory order. */
function plainSum(flow: Flow, protocol: u32, length: u32): u16 {
  let sum = words(flow.local.high) + words(flow.local.low) + words(flow.remote.high) + words(flow.remote.low);
  sum += words(length) + protocol;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return bswap<u16>(<u16>sum);
}

function input(buffer: PacketBuffer): void {
  receivedFlow(a, buffer);
  received += buffer.length;
  releaseBuffer(buffer);
}

describe("flows", () => {
  beforeEach(boot);

  it("are the same when every bit is", () => {
    for (let round = 0; round < 20; round++) {
      wide(a);
      b.copy(a);
      expect<bool>(a.same(b)).toBe(true);
      for (let bit: u32 = 0; bit < 288; bit++) {
        flip(b, bit);
        assert(!a.same(b), "other flows");
        flip(b, bit);
      }
    }
  });

  it("have a hash that every bit, the version and the purpose change", () => {
    setSipHashKey(3, 4);
    for (let kind = 0; kind < 2; kind++) {
      if (kind == 0) wide(a);
      else a.copy(flowOf(OWN, 80, PEER, 4000));
      b.copy(a);
      const hash = flowHash(a, HASH_TABLE);
      expect<u64>(flowHash(b, HASH_TABLE)).toBe(hash);
      expect<u64>(flowHash(b, HASH_TIMESTAMP)).not.toBe(hash);
      for (let bit: u32 = 0; bit < 288; bit++) {
        // Of mapped addresses the IPv4 part; a local address of the other version than the remote one there is not.
        if (kind == 1 && (bit % 144 < 64 || (bit % 144 >= 96 && bit % 144 < 128))) continue;
        flip(b, bit);
        assert(flowHash(b, HASH_TABLE) != hash, "another hash");
        flip(b, bit);
      }
    }
  });

  it("have the pseudo header that their version asks for", () => {
    for (let round = 0; round < 2000; round++) {
      const length = link.random() & 0xffff;
      wide(a);
      if ((round & 7) == 0) a.local.high = a.local.low = a.remote.low = u64.MAX_VALUE;
      expect<u16>(checksumFold(pseudoHeaderSum(a, 17, length))).toBe(plainSum(a, 17, length));
      const source = link.random();
      const destination = link.random();
      const sum = pseudoHeaderSum(flowOf(source, 1, destination, 2), 6, length);
      const old = addresses.pseudoHeaderSum(source, destination, 6, length);
      expect<u16>(checksumFold(sum)).toBe(checksumFold(old));
      expect<u16>(checksumFold(sum)).toBe(plainSum(flowOf(source, 1, destination, 2), 6, length));
    }
  });

  it("0.0.0.0 covers IPv4, :: everything, an address itself", () => {
    wide(a);
    const six = a.local;
    const any = changetype<Endpoint>(growMemory(offsetof<Endpoint>(), 8));
    expect<bool>(any.isAny && endpoint(0, 5).isAny && !six.isAny).toBe(true);
    expect<bool>(any.covers(six) && any.covers(endpoint(PEER, 1)) && any.covers(endpoint(0, 0))).toBe(true);
    expect<bool>(endpoint(0, 0).covers(endpoint(PEER, 1)) && endpoint(0, 0).covers(endpoint(0, 0))).toBe(
      true,
    );
    expect<bool>(endpoint(0, 0).covers(six) || endpoint(0, 0).covers(any)).toBe(false);
    expect<bool>(endpoint(PEER, 1).covers(endpoint(PEER, 2)) && six.covers(six)).toBe(true);
    expect<bool>(endpoint(PEER, 1).covers(endpoint(OWN, 1)) || endpoint(PEER, 1).covers(endpoint(0, 0))).toBe(
      false,
    );
    // :: of a socket that wants IPv6 alone.
    any.setAny6(true);
    expect<bool>(any.isAny && !any.isMapped).toBe(true);
    expect<bool>(any.covers(six) && any.covers(any)).toBe(true);
    expect<bool>(any.covers(endpoint(PEER, 1)) || any.covers(endpoint(0, 0))).toBe(false);
    expect<bool>(endpoint(0, 0).covers(any) || six.covers(any)).toBe(false);
    wide(b);
    b.local.setAny6(false);
    expect<bool>(b.local.covers(any) && any.covers(b.local) && b.local.covers(endpoint(0, 0))).toBe(true);
    any.setLoopback();
    expect<bool>(any.high == 0 && any.low == 1).toBe(true);
    b.copy(flowOf(OWN, 1, PEER, 2));
    b.local.setLoopback();
    expect<u32>(b.local.ipv4).toBe(LOOPBACK_ADDRESS);
  });
});

describe("the network layer", () => {
  beforeEach(boot);

  it("knows IPv4 addresses, and no others while there is no IPv6", () => {
    wide(a);
    expect<bool>(
      isOurs(endpoint(OWN, 0)) && isHost(endpoint(PEER, 0)) && isForAll(endpoint(0x0a00_00ff, 0)),
    ).toBe(true);
    expect<bool>(
      isOurs(endpoint(PEER, 0)) || isHost(endpoint(0xe000_0001, 0)) || isForAll(endpoint(PEER, 0)),
    ).toBe(false);
    expect<bool>(isOurs(a.remote) || isForAll(a.remote)).toBe(false);
    expect<bool>(chooseSource(a)).toBe(false);
    b.copy(flowOf(0, 7, PEER, 9));
    expect<bool>(chooseSource(b)).toBe(true);
    expect<u64>(addresses.packed(b.local)).toBe(((<u64>OWN) << 16) | 7);
    const buffer = allocateBuffer(BUFFER_HEADROOM)!;
    expect<i32>(ipOutput(buffer, a, 17, 64)).toBe(-ENETUNREACH);
    releaseBuffer(buffer);
  });

  it("hands packets up by their protocol, with both ends as we see them", () => {
    received = 0;
    frames.ipv4(PEER, OWN, SCTP, 20);
    deliver();
    expect<u64>(networkCounters().ipNoTransport).toBe(1);
    registerTransport(SCTP, input.index, 0, 0);
    frames.ipv4(PEER, OWN, SCTP, 20);
    store<u32>(frames.TRANSPORT, 0x0200_0100);
    deliver();
    expect<u32>(received).toBe(20);
    expect<u64>(addresses.packed(a.local)).toBe(((<u64>OWN) << 16) | 2);
    expect<u64>(addresses.packed(a.remote)).toBe(((<u64>PEER) << 16) | 1);
    expect<u64>(networkCounters().ipNoTransport).toBe(1);
  });
});
