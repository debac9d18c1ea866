/**
 * A sender that is told by SACK what has arrived, for specs of what it does about loss: a connection with an MSS of 1000, and segments that are named by their
 * places behind what has been acknowledged (`at`).
 *
 *     beforeAll(meetPeer);
 *     beforeEach(beginSending);
 *     afterEach(endSending);
 */
import {
  chooseCongestionControl,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
} from "../../../net/socket/tcp/congestion";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { taken, write } from "./ends";
import { beginPair, endOfPair, keep, newPort, s, server } from "./pair";
import { establish, heard, heardPlaces, permitSack, say, sayBlocks, setOptions } from "./script";
import { MILLISECOND, run } from "./world";

/** Octets written and acknowledged so far. */
export let at: u32 = 0;

export function beginSending(): void {
  beginPair();
  chooseCongestionControl(CONGESTION_NEWRENO);
}

export function endSending(): void {
  chooseCongestionControl(CONGESTION_CUBIC);
  endOfPair();
}

/** A connection with SACK, which is `s` from now on, whose round trip of 100 ms has been measured once. `stamp`: the peer's first timestamp; 0: none. */
export function openSender(stamp: u32 = 0): TcpConnection {
  setOptions(stamp == 0 ? 1000 : 1012, 255, stamp);
  permitSack(true);
  keep(establish(server, newPort(), 65535));
  taken();
  write(s, 0, 0, 1000);
  heard();
  run(100 * MILLISECOND);
  say(".", 1, 0, 1001, 65535);
  at = 1000;
  return changetype<TcpConnection>(s);
}

/** `octets` more have been acknowledged: what comes is named from there. */
export function advance(octets: u32): void {
  at += octets;
}

/** Sends `segments` full ones at once, and lets a round trip pass. */
export function send(segments: u32): void {
  write(s, 0, at, segments * 1000);
  heard();
  run(100 * MILLISECOND);
}

/** The peer has the segments [first, last) of those that stand behind `at`, and acknowledges `acked` of them. */
export function sack(acked: u32, first: u32, last: u32): void {
  const base = 1 + at;
  const block = (base + first * 1000).toString() + ":" + (base + last * 1000).toString();
  sayBlocks(base + acked * 1000, 65535, block);
}

/** Segments with data that were heard, by their places behind `at`. */
export function places(): string {
  return heardPlaces(1 + at, 1000);
}
