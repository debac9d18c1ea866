/**
 * What the stack under test sends: checked, for it must never send what is wrong, whatever came in; and remembered, so that the grammar can speak to its connections and quote
 * its packets.
 */
import { checksumAdd, checksumFold } from "../../../net/checksum";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { TcpHeader } from "../../../net/wire/tcp";
import { pseudoHeaderSum } from "../addresses";
import { mirrorHook, OWN, OWN0, OWN4 } from "../link";

const last = new StaticArray<u8>(2048);
let lastLength: u32 = 0;

/** Address and length of the last IPv4 packet that was sent. */
export function lastSent(): usize {
  return changetype<usize>(last);
}
export function lastSentLength(): u32 {
  return lastLength;
}

/** Of each connection: the other end's address and port, our port, the sequence number behind what we sent, and what we expect. */
const FLOWS: u32 = 64;
const FIELDS: u32 = 5;
const flows = new StaticArray<u32>(FLOWS * FIELDS);
let count: u32 = 0;
let oldest: u32 = 0;

export function flowCount(): u32 {
  return count;
}
export function flowField(flow: u32, field: u32): u32 {
  return flows[flow * FIELDS + field];
}

export function forgetSent(): void {
  lastLength = count = oldest = 0;
}

function remember(remote: u32, header: TcpHeader, end: u32): void {
  let flow: u32 = 0;
  while (
    flow < count &&
    (flowField(flow, 0) != remote ||
      flowField(flow, 1) != header.destinationPort ||
      flowField(flow, 2) != header.sourcePort)
  )
    flow++;
  if (flow == FLOWS) {
    flow = oldest;
    oldest = (oldest + 1) % FLOWS;
  } else if (flow == count) count++;
  const at = flow * FIELDS;
  flows[at] = remote;
  flows[at + 1] = header.destinationPort;
  flows[at + 2] = header.sourcePort;
  flows[at + 3] = end;
  flows[at + 4] = header.acknowledgement;
}

/** The hook of the link (spec/net/link.ts). Traps on a frame that is wrong. */
export function look(frame: usize, length: u32): void {
  assert(length >= 34 && length <= 1518, "length of a frame");
  assert(load<u32>(frame, 6) == OWN0 && load<u16>(frame, 10) == OWN4, "source of a frame");
  const type = load<u16>(frame, 12);
  if (type == 0x0608) return mirrorHook(frame, length);
  assert(type == 0x0008, "type of a frame");
  const packet = frame + 14;
  const header = changetype<Ipv4Header>(packet);
  assert(load<u8>(packet) == 0x45 && header.totalLength == length - 14, "header");
  assert(checksumFold(checksumAdd(packet, 20, 0)) == 0xffff, "checksum of the header");
  // Before there is an address only DHCP speaks.
  assert(header.source == OWN || (header.source == 0 && header.protocol == 17), "source of a packet");
  assert(header.ttl != 0, "time to live");
  const fragment = header.fragment;
  assert((fragment & 0x2000) == 0 || ((header.totalLength - 20) & 7) == 0, "length of a fragment");
  assert((fragment & 0x4000) == 0 || (fragment & 0x3fff) == 0, "a fragment that must not be one");
  memory.copy(changetype<usize>(last), packet, length - 14);
  lastLength = length - 14;
  if ((fragment & 0x3fff) != 0) return;
  const transport = packet + 20;
  const bytes = header.totalLength - 20;
  if (header.protocol == 1) {
    assert(checksumFold(checksumAdd(transport, bytes, 0)) == 0xffff, "checksum of ICMP");
    const icmp = load<u8>(transport);
    assert(icmp == 0 || icmp == 3 || icmp == 11, "kind of ICMP message");
    if (icmp != 0) {
      assert(bytes <= 556, "length of an error");
      const quoted = changetype<Ipv4Header>(transport + 8);
      assert(quoted.protocol != 1 && (quoted.fragment & 0x1fff) == 0, "what an error is about");
      assert(quoted.source < 0xe000_0000 && quoted.source != 0x0a00_00ff, "to whom an error goes");
    }
    return;
  }
  // The device of the link makes no checksums, so the stack has to.
  const sum = pseudoHeaderSum(header.source, header.destination, header.protocol, bytes);
  assert(checksumFold(checksumAdd(transport, bytes, sum)) == 0xffff, "checksum of a transport");
  if (header.protocol != 6) return;
  const tcp = changetype<TcpHeader>(transport);
  assert(tcp.headerLength >= 20 && tcp.headerLength <= bytes, "header of TCP");
  const control = (tcp.flags & 1) + ((tcp.flags >> 1) & 1);
  if ((tcp.flags & 4) == 0)
    remember(header.destination, tcp, tcp.sequence + bytes - tcp.headerLength + control);
}
