/**
 * The fuzzer's module: the receive path of the kernel with everything behind it, and a grammar of frames before it (grammar.ts). tools/fuzz.ts runs it. A trap is a bug: an access
 * where nothing is, an assertion of the kernel or of these files, a loop without end.
 *
 * Each step draws its chances from a sequence of its own, so that a run goes on as it would when some are left out.
 */
import { setLogLevel } from "../../../kernel/console";
import {
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_RECEIVE,
  pollLevel,
  runPolls,
  setPoll,
} from "../../../kernel/interrupts/polls";
import { MILLISECOND } from "../../../kernel/time/clock";
import { allocateBuffer, bufferPool, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { networkCounters } from "../../../net/counters";
import { dhcpStart } from "../../../net/dhcp";
import { networkFlush, setAddress, setVlan } from "../../../net/interface";
import { loopbackPoll } from "../../../net/loopback";
import { packetsPoll } from "../../../net/packets";
import { reassemblyHeld } from "../../../net/reassembly";
import { addAddress, startIpv6 } from "../../../net/slaac";
import { initializeOptionTable, OPTION_TABLE_STORAGE } from "../../../net/socket/options";
import { defineSocketOptions } from "../../../net/socket/options-socket";
import { chooseCongestionControl } from "../../../net/socket/tcp/congestion";
import { connectionPool } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { defineTcpOptions } from "../../../net/socket/tcp/socket-options";
import { initializeTcp, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { udpQueued } from "../../../net/socket/udp-calls";
import { growMemory } from "../../arena";
import { chance, seedChance } from "../../chance";
import { address6, PREFIX } from "../frames6";
import * as link from "../link";
import { act, closeSockets, openSockets } from "./application";
import { conversation } from "./conversation";
import { flood, makeFrame } from "./grammar";
import { checkAll } from "./invariants";
import { setFrameVlan } from "./packets";
import { forgetSent, look } from "./sent";

const MINUTE: u64 = 60_000_000_000;
const BUFFERS: u32 = 1000;
const DATAGRAMS: u32 = 200;
const VLAN: i32 = 5;

let seed: u32 = 0;
/** Buffers that somebody else has. */
let hoard: PacketBuffer[] = [];
let optionTable: usize = 0;

function comeIn(level: u32): bool {
  loopbackPoll();
  return false;
}

function goOut(level: u32): bool {
  networkFlush();
  return false;
}

/** What the levels have left to be done. */
function pump(): void {
  while (pollLevel >= 0) runPolls();
  networkFlush();
}

/** A new machine, for the run of this seed. */
export function boot(number: u32): void {
  seed = number;
  seedChance((<u64>seed) << 32);
  link.bootStack(BUFFERS, <u64>seed + 1);
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_RECEIVE, comeIn.index);
  setPoll(POLL_OUTPUT, goOut.index);
  assert(initializeTcp(100, 1000), "no memory for TCP");
  if (optionTable == 0) optionTable = growMemory(OPTION_TABLE_STORAGE, 8);
  initializeOptionTable(optionTable);
  defineSocketOptions();
  defineTcpOptions();
  setLogLevel(0);
  hoard = [];
  chooseCongestionControl(chance(2));
  const tag = chance(4) == 0 ? VLAN : -1;
  if (tag >= 0) assert(setVlan(tag), "no VLAN");
  setFrameVlan(tag);
  forgetSent(tag);
  // A device that checks that nobody writes to what it sends is slower.
  link.setHolding(chance(8) == 0);
  link.setHook(look.index);
  startIpv6();
  if (chance(2) == 0) addAddress(address6(PREFIX, 0x77), 64);
  openSockets();
  link.run(3000 * MILLISECOND);
}

/** The step of this number: something comes in, the application does something, time passes. */
export function step(number: u32): void {
  seedChance(((<u64>seed) << 32) + 1 + number);
  if (chance(6) == 0) act();
  if (chance(40) == 0) conversation();
  else makeFrame();
  if (chance(2) == 0) pump();
  const wait = chance(200);
  if (wait == 0) pass(<u64>chance(20) * 500 * MILLISECOND);
  else if (wait < 40) pass(<u64>chance(3) * MILLISECOND);
  const rare = chance(4000);
  if (rare < 10) upset(rare);
}

function pass(time: u64): void {
  pump();
  link.run(time);
  pump();
}

function setLink(up: u32): void {
  const device = link.linkDevice();
  device.linkUp = up;
  call_indirect<void>(device.linkChanged, device);
}

/** What happens seldom to a machine. */
function upset(what: u32): void {
  if (what < 2) link.setRefuse(chance(40));
  else if (what < 4) {
    for (let count = chance(BUFFERS); count != 0; count--) {
      const buffer = allocateBuffer(0);
      if (buffer === null) break;
      hoard.push(buffer);
    }
  } else if (what < 6) {
    while (hoard.length != 0) releaseBuffer(hoard.pop());
  } else if (what == 6) dhcpStart(0);
  else if (what == 7) {
    setLink(chance(4) == 0 ? 0 : 1);
  } else if (what == 8) {
    assert(setAddress(link.OWN, link.NETMASK, link.GATEWAY), "address");
  } else flood();
}

/** The invariants, and pass a moment for the hoard. */
export function check(): void {
  checkAll(BUFFERS, DATAGRAMS);
}

export function received(): u32 {
  return link.received;
}

/** The application lets go of everything, and time passes: nothing may be left. Traps if there is. */
export function finish(): void {
  seedChance((<u64>seed) << 32);
  check();
  while (hoard.length != 0) releaseBuffer(hoard.pop());
  closeSockets();
  link.setHook(0);
  link.setRefuse(0);
  setLink(1);
  // A user time-out that a peer has asked for is an hour at most (RFC 5482).
  for (let i = 0; i < 10; i++) pass(8 * MINUTE);
  assert(connectionPool().inUse == 0, "connections left");
  assert(requestPool().inUse == 0, "half-open requests left");
  assert(timeWaitPool().inUse == 0, "TIME-WAIT left");
  assert(reassemblyHeld() == 0, "fragments left");
  assert(udpQueued() == 0, "datagrams left");
  assert(bufferPool().inUse == 0, "buffers left");
}

/** How far the frames came, for who wonders whether the grammar is any good. */
export function reached(what: u32): u64 {
  const counters = networkCounters();
  const tcp = tcpStatistics();
  if (what == 0) return counters.ipReassembled;
  if (what == 1) return counters.icmpEchoes;
  if (what == 2) return counters.udpReceived - counters.udpMalformed - counters.udpBadChecksum;
  if (what == 3) return tcp.passiveOpens;
  if (what == 4) return tcp.activeOpens;
  if (what == 5) return counters.icmpErrorsReceived;
  if (what == 6) return counters.ndAdvertisements;
  if (what == 7) return tcp.fastRetransmits;
  return tcp.retransmitTimeouts;
}
