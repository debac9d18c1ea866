/** What has to hold when a handler is called in a random run of events (random.spec.ts). */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_ENDED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
} from "../../aem/abi";
import { sys_vmtable_keep } from "../../aem/vmtable";
import { ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { SOCK_DGRAM } from "../../net/socket/socket";
import { chance } from "../chance";
import { wrongBytes } from "./driver";
import { nextHandler, FakeSocket, HANDLER_CODE, NO_END } from "./machine";
import {
  closeSocket,
  forget,
  handlerBegins,
  handlerEnds,
  jids,
  keepEvery,
  kept,
  known,
  Known,
  Opened,
  sockets,
  SOCKETS,
  stateOf,
} from "./random-model";

export let calls = 0;

function returned(): void {
  const event = handlerEnds();
  if (event === null) return;
  if (event.oneshot) forget(event);
  else if (event.draining && (event.type != EVENT_SK || event.states.length == 0)) {
    // Shut down inside its own handler with another activation waiting: that one still comes.
    if ((stateOf(event) & EVENT_PENDING) == 0) forget(event);
  }
}

/** Draining events that found nothing end without a call. */
function forgetEnded(): void {
  for (let i = jids.length - 1; i >= 0; i--) {
    const event = known.get(jids[i]);
    if (event.draining && stateOf(event) == -ESRCH) forget(event);
  }
}

export function dispatch(): bool {
  returned();
  const code = <u32>nextHandler();
  if (code == 0) {
    forgetEnded();
    return false;
  }
  calls++;
  const jid = <i32>upcallArgument1;
  const type = code - HANDLER_CODE;
  assert(known.has(jid), "delivered to an event that has ended");
  const event = known.get(jid);
  handlerBegins(event);
  assert(event.type == type, "the handler of another type");
  assert(!event.stopped, "delivered to a stopped event");
  const opened = event.opened;
  if (opened !== null) assert(<i32>upcallArgument2 == opened.fd, "descriptor");
  if (type == EVENT_READ) checkRead(event, opened!);
  else if (type == EVENT_CLOSE) checkClose(event, opened!);
  else if (type == EVENT_SK) {
    assert(event.states.length > 0, "a transition that was not");
    assert(event.states.shift() == ((upcallArgument3 << 4) | upcallArgument4), "order of transitions");
  } else if (type == EVENT_SOCK) assert(upcallArgument3 != 0, "no bits");
  else if (type == EVENT_ACCEPT) {
    const fd = <i32>upcallArgument3;
    const socket = changetype<FakeSocket>(handleObject(currentProcess(), fd, HANDLE_SOCKET));
    assert(changetype<usize>(socket) != 0, "no connection");
    sockets.push(new Opened(socket, fd));
    if (sockets.length > SOCKETS) closeSocket(sockets.length - 1);
  }
  return true;
}

function checkRead(event: Known, opened: Opened): void {
  const length = <i32>upcallArgument4;
  const socket = opened.socket;
  const datagram = socket.type == SOCK_DGRAM;
  assert(event.ended == 0, "something came after the end");
  if (length < 0 || (length == 0 && !datagram)) {
    assert(socket.end != NO_END && socket.went == socket.came, "the end before the data");
    assert(length == socket.end, "what ended it");
    event.ended++;
    return;
  }
  // The transport has just moved on by what was delivered.
  const position = datagram ? socket.serial - 1 : socket.went - length;
  assert(wrongBytes(position, length) == 0, "data");
  if (chance(keepEvery) == 0) {
    const data = upcallArgument3;
    assert(sys_vmtable_keep(data) == 0, "keep");
    kept.push(data);
  }
}

function checkClose(event: Known, opened: Opened): void {
  assert(event.ended == 0, "closed twice");
  event.ended++;
  assert(opened.socket.end != NO_END && <i32>upcallArgument3 == opened.socket.end, "what ended it");
  if (event.draining) return;
  for (let i = 0; i < jids.length; i++) {
    const other = known.get(jids[i]);
    if (other.type != EVENT_READ || other.opened !== opened) continue;
    const state = stateOf(other);
    assert(state < 0 || (state & EVENT_ENDED) != 0, "close before the end of the data");
  }
}
