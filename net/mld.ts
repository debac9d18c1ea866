/**
 * Multicast listener discovery, the listener's half (RFC 3810, 6; RFC 2710): switches that watch it send us what goes to our groups. Those are the
 * solicited-node groups of our addresses; ff02::1 is never reported.
 *
 * What we report is a state, and never a change: all groups in one message, when an address joins and when we are asked. Two reports of the same
 * do no harm. A querier of the first version (24 bytes) is answered in its form.
 */
import { random32 } from "../kernel/random";
import { MILLISECOND, now } from "../kernel/time/clock";
import { Timer, timerPending, timerPrepare, timerStart } from "../kernel/time/timers";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { Endpoint, IpAddress } from "./flow";
import { heard, sendIcmpv6, talk } from "./icmpv6";
import { linkIsUp, networkFlush } from "./interface";
import { ADDRESS_VALID, joins, OWN_ADDRESSES, ownAddress } from "./own-addresses";
import { isLinkLocal, MLD2_ROUTERS, setLinkGroup, solicitedNode } from "./scope";
import { ICMP_HEADER, IcmpHeader } from "./wire/icmp";
import { MLD2_REPORT, MLD_REPORT } from "./wire/icmpv6";
import { Ipv6Header, storeAddress } from "./wire/ipv6";

/** Bytes of a query of the first version, and of the second, at least. */
const QUERY1_LENGTH: u32 = 24;
const QUERY2_LENGTH: u32 = 28;
/** A record of a report: type, lengths, and a group. */
const RECORD_LENGTH: u32 = 20;
/** MODE_IS_EXCLUDE, of no sources: everything that is sent to the group. */
const MODE_IS_EXCLUDE: u8 = 2;
const HOP_LIMIT: u32 = 1;
const ADDRESS_SIZE: usize = offsetof<Endpoint>();

/** Bytes of storage for initializeMld. */
export const MLD_STORAGE: usize = ADDRESS_SIZE + offsetof<Timer>();

let group: IpAddress = changetype<IpAddress>(0);
let timer: Timer = changetype<Timer>(0);
/** The answer that is under way is one of the first version. */
let oldForm: bool = false;

/** Once at boot. `storage`: MLD_STORAGE bytes, 8-aligned. */
export function initializeMld(storage: usize): void {
  memory.fill(storage, 0, MLD_STORAGE);
  group = changetype<IpAddress>(storage);
  timer = changetype<Timer>(storage + ADDRESS_SIZE);
  timerPrepare(timer, onTimer.index);
}

/** A query, whose addresses are in `heard`; borrows the buffer. The answer comes some time within what the querier asks for. */
export function mldQuery(buffer: PacketBuffer): void {
  const length = buffer.length;
  const network = changetype<Ipv6Header>(buffer.networkHeader);
  if (
    !isLinkLocal(heard.remote) ||
    network.hopLimit != HOP_LIMIT ||
    (length != QUERY1_LENGTH && length < QUERY2_LENGTH)
  ) {
    networkCounters().icmpIgnored++;
    return;
  }
  if (timerPending(timer)) return;
  oldForm = length == QUERY1_LENGTH;
  timerStart(timer, now() + <u64>(random32() % max(responseDelay(buffer, oldForm), 1)) * MILLISECOND);
}

/** In ms; of the second version, long ones are a number with an exponent (RFC 3810, 5.1.3). */
function responseDelay(buffer: PacketBuffer, old: bool): u32 {
  const code = <u32>bswap<u16>(load<u16>(buffer.data, 4));
  if (old || code < 0x8000) return code;
  return ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
}

function onTimer(timer: Timer): void {
  if (oldForm) reportEach();
  else mldReport();
  networkFlush();
}

/** Whether address `index` is the first of ours with its group. */
function isFirstOf(index: u32): bool {
  const own = ownAddress(index);
  if (!joins(own)) return false;
  for (let i: u32 = 0; i < index; i++) {
    if (joins(ownAddress(i)) && solicitedNode(ownAddress(i)) == solicitedNode(own)) return false;
  }
  return true;
}

/** Sets `talk` to go from our link-local address, or :: while there is none (RFC 3590, 4). */
function fromLinkLocal(): void {
  const own = ownAddress(0);
  const usable = own.state == ADDRESS_VALID;
  talk.local.high = usable ? own.high : 0;
  talk.local.low = usable ? own.low : 0;
}

/** Reports all groups that we are in (RFC 3810, 5.2). */
export function mldReport(): void {
  const buffer = linkIsUp() ? allocateBuffer(BUFFER_HEADROOM) : null;
  if (buffer === null) return;
  let count: u32 = 0;
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    if (!isFirstOf(i)) continue;
    const record = buffer.data + ICMP_HEADER + RECORD_LENGTH * count;
    store<u32>(record, MODE_IS_EXCLUDE);
    setLinkGroup(group, solicitedNode(ownAddress(i)));
    storeAddress(record + 4, group);
    count++;
  }
  if (count != 0) {
    const header = changetype<IcmpHeader>(buffer.data);
    header.type = MLD2_REPORT;
    header.code = 0;
    header.rest = count;
    buffer.length = ICMP_HEADER + RECORD_LENGTH * count;
    fromLinkLocal();
    setLinkGroup(talk.remote, MLD2_ROUTERS);
    sendIcmpv6(buffer, HOP_LIMIT, true);
  }
  releaseBuffer(buffer);
}

/** The same in the form of the first version: a message for each group, to the group (RFC 2710, 4). */
function reportEach(): void {
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    if (!isFirstOf(i)) continue;
    const buffer = linkIsUp() ? allocateBuffer(BUFFER_HEADROOM) : null;
    if (buffer === null) return;
    const header = changetype<IcmpHeader>(buffer.data);
    header.type = MLD_REPORT;
    header.code = 0;
    header.rest = 0;
    setLinkGroup(talk.remote, solicitedNode(ownAddress(i)));
    storeAddress(buffer.data + ICMP_HEADER, talk.remote);
    buffer.length = QUERY1_LENGTH;
    fromLinkLocal();
    sendIcmpv6(buffer, HOP_LIMIT, true);
    releaseBuffer(buffer);
  }
}
