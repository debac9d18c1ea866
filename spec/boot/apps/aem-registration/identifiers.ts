/** 3.1.4: what a jid is good for while its event is there, and that it is unknown afterwards, however the event ended. */
import {
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTAT,
  EVJOBSTOP,
  bindUdp,
  close,
  evctl,
  onRead,
  onTimer,
} from "../../../../sdk";
import { row } from "../report";
import { statistics } from "./statistics";

const MILLISECOND: i64 = 1_000_000;
const FAR: i64 = 1_000_000_000_000;

let oneshot: i32 = 0;

function never(jid: i32, overrun: i32): void {
  row("never", jid);
}

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function once(jid: i32, overrun: i32): void {
  row("once-inside", jid, evctl(jid, EVJOBLOOKUP, 0));
}

/** 200 ms after `once`. */
function afterOnce(jid: i32, overrun: i32): void {
  row("once-after", oneshot, evctl(oneshot, EVJOBLOOKUP, 0), evctl(oneshot, EVJOBSTART, 0));
}

function shutDown(): void {
  const jid = onTimer(FAR, 0, never);
  const lookup = evctl(jid, EVJOBLOOKUP, 0);
  const priority = evctl(jid, EVJOBPRIO, 40);
  const stop = evctl(jid, EVJOBSTOP, 0);
  row("alive", jid, lookup, priority, stop, evctl(jid, EVJOBLOOKUP, 0), evctl(jid, EVJOBSTART, 0));
  const result = statistics(jid);
  row("alive-statistics", result.result, result.type, result.priority, result.fd);
  row("ended", evctl(jid, EVJOBSHTDN, 0));
  row(
    "unknown",
    evctl(jid, EVJOBLOOKUP, 0),
    evctl(jid, EVJOBPRIO, 40),
    evctl(jid, EVJOBSTOP, 0),
    evctl(jid, EVJOBSTART, 0),
    evctl(jid, EVJOBSTAT, 0),
    evctl(jid, EVJOBSHTDN, 0),
  );
  // The place may be used again, the number is not.
  const next = onTimer(FAR, 0, never);
  row("next", jid, next, evctl(jid, EVJOBLOOKUP, 0), evctl(next, EVJOBLOOKUP, 0), evctl(next, EVJOBSHTDN, 0));
}

function closed(): void {
  const fd = bindUdp(0);
  const jid = onRead(fd, datagram);
  row("socket-closed", jid, evctl(jid, EVJOBLOOKUP, 0), close(fd), evctl(jid, EVJOBLOOKUP, 0));
}

export function identifiers(): void {
  row("never-was", evctl(0, EVJOBLOOKUP, 0), evctl(-1, EVJOBLOOKUP, 0), evctl(i32.MAX_VALUE, EVJOBLOOKUP, 0));
  shutDown();
  closed();
  oneshot = onTimer(MILLISECOND, MILLISECOND, once, EVF_ONESHOT);
  onTimer(200 * MILLISECOND, 0, afterOnce);
}
