/** What can happen in a random run of events (random.spec.ts), but for handlers. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_STOPPED,
  EVENT_TIMER,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTAT,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
  STATISTICS_SIZE,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free } from "../../aem/vmtable";
import { ECONNRESET, ESRCH } from "../../kernel/errno";
import { SOCK_DGRAM, SOCKET_LISTENING } from "../../net/socket/socket";
import { chance } from "../chance";
import { onClose, onRead, onSock, onState, onTimer, statistics, transition } from "./driver";
import {
  establish,
  fail,
  finish,
  handlerOf,
  newDatagram,
  newListener,
  newStream,
  NO_END,
  open,
  readElsewhere,
  receive,
  receiveDatagram,
} from "./machine";
import { forget, jids, kept, known, Opened, past, remember, sockets, SOCKETS, stateOf } from "./random-model";

const STATES_KEPT: i32 = 15;

export function openSocket(): void {
  if (sockets.length >= SOCKETS) return;
  const kind = chance(4);
  const socket = kind == 0 ? newListener() : kind == 1 ? newDatagram() : newStream();
  sockets.push(new Opened(socket, open(socket)));
}

export function register(): void {
  if (jids.length > 100) return;
  let flags: u32 = chance(4) == 0 ? EVF_ONESHOT : 0;
  if (chance(8) == 0) flags |= EVF_KEEPALIVE;
  if (sockets.length == 0 || chance(5) == 0) {
    const period = <u64>chance(3) * 300_000;
    remember(
      onTimer(<u64>chance(2_000_000), period, flags),
      EVENT_TIMER,
      null,
      period == 0 ? EVF_ONESHOT : flags,
    );
    return;
  }
  const opened = sockets[chance(sockets.length)];
  const fd = opened.fd;
  // As many as a socket may have are refused: not what this spec is about.
  let there = 0;
  let reads = false;
  for (let i = 0; i < jids.length; i++) {
    const event = known.get(jids[i]);
    if (event.opened !== opened) continue;
    there++;
    if (event.type == EVENT_READ) reads = true;
  }
  if (there > 20) return;
  if (opened.socket.flags & SOCKET_LISTENING) {
    remember(sys_sockasync_accept(fd, 0, 0, flags, handlerOf(EVENT_ACCEPT)), EVENT_ACCEPT, opened, flags);
    return;
  }
  const which = opened.socket.type == SOCK_DGRAM ? chance(2) : chance(5);
  // Several that read one socket are sharing-random.spec.ts's.
  const read = (which == 1 || which == 4) && !reads;
  if (which == 0) remember(onSock(fd, flags), EVENT_SOCK, opened, flags);
  else if (read) remember(onRead(fd, flags), EVENT_READ, opened, flags);
  else if (which == 2) remember(onClose(fd, flags), EVENT_CLOSE, opened, flags);
  else if (which == 3) remember(onState(fd, flags), EVENT_SK, opened, flags);
}

export function occur(): void {
  if (sockets.length == 0) return;
  const opened = sockets[chance(sockets.length)];
  const socket = opened.socket;
  if (socket.flags & SOCKET_LISTENING) {
    if (socket.waiting < 10) establish(socket);
  } else if (socket.type == SOCK_DGRAM) {
    if (socket.waiting < 60) receiveDatagram(socket, chance(1473));
  } else if (chance(3) == 0) {
    changeState(opened);
  } else if (socket.end == NO_END) {
    const what = chance(20);
    if (what == 0) finish(socket);
    else if (what == 1) fail(socket, ECONNRESET);
    else if (socket.came - socket.went < 40000) receive(socket, 1 + chance(chance(10) == 0 ? 20000 : 2000));
  }
}

function changeState(opened: Opened): void {
  const state = 1 + chance(11);
  const step = (opened.state << 4) | state;
  for (let i = 0; i < jids.length; i++) {
    const event = known.get(jids[i]);
    if (event.type != EVENT_SK || event.opened !== opened || event.draining) continue;
    const states = event.states;
    if (states.length < STATES_KEPT) states.push(step);
    else states[STATES_KEPT - 1] = (states[STATES_KEPT - 1] & 0xf0) | state;
  }
  transition(opened.socket, opened.state, state);
  opened.state = state;
}

/** The application reads by itself. */
export function readAway(): void {
  if (sockets.length == 0) return;
  const socket = sockets[chance(sockets.length)].socket;
  if (socket.type == SOCK_DGRAM || socket.flags & SOCKET_LISTENING) return;
  readElsewhere(socket, chance(socket.came - socket.went + 1));
}

export function control(): void {
  if (jids.length == 0) return;
  const event = known.get(jids[chance(jids.length)]);
  if (event.draining) return;
  const jid = event.jid;
  const state = stateOf(event);
  assert(state > 0, "a live event is not known");
  assert(((state & EVENT_STOPPED) != 0) == event.stopped, "stopped");
  switch (chance(6)) {
    case 0:
      assert(sys_evctl(jid, EVJOBSTOP, 0) == 0, "stop");
      event.stopped = true;
      break;
    case 1:
    case 2:
      assert(sys_evctl(jid, EVJOBSTART, 0) == 0, "start");
      event.stopped = false;
      break;
    case 3:
      statistics.size = STATISTICS_SIZE;
      assert(sys_evctl(jid, EVJOBSTAT, <u32>changetype<usize>(statistics)) == 0, "stat");
      assert(
        statistics.activations == statistics.handled + statistics.coalesced + statistics.waiting &&
          statistics.filtered + statistics.cleaned == 0,
        "the sum",
      );
      assert(statistics.coalesced < 0x80000000 && statistics.type == event.type, "statistics");
      if (event.type == EVENT_SK)
        assert(<i32>statistics.waiting == event.states.length, "transitions that wait");
      break;
    case 4:
      assert(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "drop");
      forget(event);
      break;
    default:
      assert(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER) == 0, "deliver");
      if ((state & (EVENT_PENDING | EVENT_OCCURRED)) == 0) {
        assert(event.type != EVENT_SK || event.states.length == 0, "transitions that were forgotten");
        forget(event);
      } else {
        event.draining = true;
        event.stopped = false;
      }
      break;
  }
}

export function checkPast(): void {
  if (past.length == 0) return;
  const jid = past[chance(past.length)];
  assert(
    sys_evctl(jid, EVJOBSHTDN, 0) == -ESRCH && sys_evctl(jid, EVJOBSTART, 0) == -ESRCH,
    "an old jid is known",
  );
}

export function freeKept(count: u32): void {
  for (; count > 0 && kept.length > 0; count--) {
    const index = chance(kept.length);
    assert(sys_vmtable_free(kept[index]) == 0, "free");
    kept.splice(index, 1);
  }
}
