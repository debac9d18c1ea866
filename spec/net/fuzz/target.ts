/**
 * The fuzzer's module: the receive path of the kernel with everything behind it, and a grammar of frames before it (grammar.ts). tools/fuzz.ts runs it. A trap is a bug: an access
 * where nothing is, an assertion of the kernel or of these files, a loop without end.
 */
import { setLogLevel } from "../../../kernel/console";
import { bufferPool } from "../../../net/buffer";
import { networkCounters } from "../../../net/counters";
import { dhcpStart } from "../../../net/dhcp";
import { reassemblyHeld } from "../../../net/reassembly";
import { connectionPool } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { initializeTcp, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { udpQueued } from "../../../net/socket/udp-calls";
import { chance, seedChance } from "../../chance";
import * as link from "../link";
import { act, closeSockets, openSockets } from "./application";
import { fragments, hand, makeFrame } from "./grammar";
import { forgetSent, look } from "./sent";

const MILLISECOND: u64 = 1_000_000;
const MINUTE: u64 = 60_000_000_000;

/** A new machine, for the run of this seed. */
export function boot(seed: u32): void {
  link.bootStack(1000, <u64>seed + 1);
  assert(initializeTcp(100, 1000), "no memory for TCP");
  setLogLevel(0);
  seedChance(seed);
  forgetSent();
  link.setHook(look.index);
  openSockets();
}

/** Goes on until `count` frames more have been handed in. */
export function step(count: u32): void {
  const end = link.received + count;
  while (link.received < end) {
    if (chance(12) == 0) act();
    if (chance(40) == 0) fragments();
    else {
      makeFrame();
      hand();
    }
    const wait = chance(200);
    if (wait == 0) link.run(<u64>chance(20) * 500 * MILLISECOND);
    else if (wait < 40) link.run(<u64>chance(3) * MILLISECOND);
    if (chance(20_000) == 0) dhcpStart(0);
  }
}

/** The application lets go of everything, and time passes: nothing may be left. Traps if there is. */
export function finish(): void {
  closeSockets();
  link.setHook(0);
  for (let i = 0; i < 10; i++) link.run(2 * MINUTE);
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
  if (what == 0) return counters.ipReassembled;
  if (what == 1) return counters.icmpEchoes;
  if (what == 2) return counters.udpReceived - counters.udpMalformed - counters.udpBadChecksum;
  if (what == 3) return tcpStatistics().passiveOpens;
  if (what == 4) return tcpStatistics().activeOpens;
  return counters.icmpErrorsReceived;
}
