/**
 * A peer that a connection gets on with for a while: it takes what is sent, in order or with holes that it reports, and sends on, so that windows grow, segments are
 * lost and recovered, and queues fill. It knows the connection's own numbers.
 */
import { MILLISECOND } from "../../../kernel/time/clock";
import { Socket } from "../../../net/socket/socket";
import { milliseconds } from "../../../net/socket/tcp/clock";
import { HAS_SACK, HAS_TIMESTAMPS, TcpConnection } from "../../../net/socket/tcp/connection";
import { MAY_RECEIVE, stateIn } from "../../../net/socket/tcp/state";
import { chance } from "../../chance";
import * as link from "../link";
import { allConnections, readsSome, writesSome } from "./application";
import { BODY, hand } from "./packets";
import { finish, header } from "./segments";
import { set32, setFrom, setTo } from "./words";

const PSH_ACK: u32 = 0x18;
const URG: u32 = 0x20;
const ECE: u32 = 0x40;

/** With one of the connections that are established, if there is one. */
export function conversation(): void {
  const all = allConnections();
  if (all.length == 0) return;
  const s = all[chance(all.length)];
  const c = changetype<TcpConnection>(s);
  for (let turns = 4 + chance(30); turns != 0 && stateIn(c.state, MAY_RECEIVE); turns--) turn(s, c);
}

function turn(s: Socket, c: TcpConnection): void {
  const which = chance(8);
  if (which < 2) writesSome(s);
  else if (which == 2) readsSome(s);
  else if (which < 4) data(c);
  else if (which < 6) acknowledges(c);
  else if (which == 6) misses(c);
  else link.run(<u64>(1 + chance(chance(8) == 0 ? 2000 : 120)) * MILLISECOND);
}

/** A few segments of data, in order most of the time. */
function data(c: TcpConnection): void {
  const size = chance(3) == 0 ? 1 + chance(1400) : 1000;
  let sequence = c.RCV_NXT;
  const gap = chance(6) == 0;
  for (let count = 1 + chance(6); count != 0; count--) {
    if (!gap || chance(3) != 0)
      segment(c, sequence, c.SND_UNA, PSH_ACK | (chance(16) == 0 ? URG : 0), 0, 0, size);
    sequence += size;
  }
}

/** Some of what is in flight, or all. */
function acknowledges(c: TcpConnection): void {
  const flight = c.SND_NXT - c.SND_UNA;
  const acked = chance(2) == 0 ? flight : min(flight, c.sendMss * (1 + chance(4)));
  segment(c, c.RCV_NXT, c.SND_UNA + acked, PSH_ACK | (chance(16) == 0 ? ECE : 0), 0, 0, 0);
}

/** The first segments are missing: duplicates, or blocks that grow. What was missing may have come twice then. */
function misses(c: TcpConnection): void {
  const mss = c.sendMss;
  const first = c.SND_UNA + mss * (1 + chance(3));
  for (let count: u32 = 1 + chance(6); count != 0; count--) {
    const end = first + mss * (7 - count);
    if (<i32>(c.SND_NXT - end) < 0) break;
    segment(c, c.RCV_NXT, c.SND_UNA, 0x10, first, end, 0);
  }
  if (chance(4) == 0) segment(c, c.RCV_NXT, c.SND_UNA, 0x10, c.SND_UNA - mss, c.SND_UNA, 0);
}

/** One of the peer's, with a block from `first` to `end` if these differ and blocks were agreed on. */
function segment(
  c: TcpConnection,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  first: u32,
  end: u32,
  payload: u32,
): void {
  const flow = c.flow;
  setFrom(flow.remote.high, flow.remote.low);
  setTo(flow.local.high, flow.local.low);
  header(flow.remote.port, flow.local.port, sequence, acknowledgement, flags, chance(100) == 0 ? 0 : 65535);
  const at = BODY + 20;
  let used: u32 = 0;
  if (c.has(HAS_TIMESTAMPS)) {
    set32(at, 0x0101_080a);
    set32(at + 4, c.timestampRecent + chance(2));
    set32(at + 8, milliseconds() + c.timestampOffset - chance(30));
    used = 12;
  }
  if (first != end && c.has(HAS_SACK)) {
    set32(at + used, 0x0101_050a);
    set32(at + used + 4, first);
    set32(at + used + 8, end);
    used += 12;
  }
  finish(used, payload);
  hand();
}
