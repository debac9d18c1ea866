/**
 * The call evpost: a message to an event of another process, or of one's own. Its bytes are copied once, from the sender's memory into
 * vmtable blocks of the receiver; the kernel buffers nothing. All listeners of the port get the message, or none does.
 *
 * One listener and one piece, which is nearly always: made, copied, queued, and nobody comes between. Else others run between the pieces:
 *
 *     made, each with a block ──► copied, a piece at a time ──► queued, all at once
 *     (thread.posting has them: if the thread ends, they are given back)
 */
import { EAGAIN, ECONNREFUSED, EFAULT, EINVAL, EMSGSIZE, ESRCH } from "../kernel/errno";
import { userRange } from "../kernel/memory/user";
import { currentProcess, findProcess, Process } from "../kernel/process/process";
import { yieldPoint } from "../kernel/scheduler/preempt";
import { currentThread } from "../kernel/scheduler/running";
import { Thread } from "../kernel/scheduler/thread";
import { EVENT_DRAINING, EVENT_MESSAGE, MESSAGE_LIMIT } from "./abi";
import { Event } from "./event";
import { eventOfJid } from "./jids";
import {
  abandonPost,
  bucketOf,
  freeMessage,
  lendBlock,
  Message,
  newMessage,
  nextListener,
  queueHasRoom,
  queueMessage,
  receiverOf,
} from "./jobs/message";
import { copyFewToProcess, copyToProcess } from "./transfer";

/** Bytes that are copied between two moments at which interrupts and other threads have their turn. */
const PIECE: u32 = 16384;

/**
 * Posts `length` bytes at `data` to the events that listen on port `to` of process `pid`; with `pid` 0 to the event with the jid `to` of the
 * process itself. 0. -EAGAIN: no room at the receiver now, nothing was posted. -ESRCH: no such process or jid; -ECONNREFUSED: nobody listens;
 * -EINVAL: a negative length, or that event takes no messages; -EMSGSIZE: more than MESSAGE_LIMIT, or than the receiver could ever hold; -EFAULT.
 */
export function sys_evpost(pid: i32, to: u32, data: usize, length: i32): i32 {
  if (length < 0) return -EINVAL;
  if (<u32>length > MESSAGE_LIMIT) return -EMSGSIZE;
  if (!userRange(data, length)) return -EFAULT;
  if (pid == 0) return postToJid(<i32>to, data, length);
  const receiver = findProcess(pid);
  return receiver === null ? -ESRCH : postToPort(receiver, to, data, length);
}

function postToJid(jid: i32, data: usize, length: u32): i32 {
  const process = currentProcess();
  const event = eventOfJid(process, jid);
  if (event === null) return -ESRCH;
  if (event.type != EVENT_MESSAGE) return -EINVAL;
  if (event.has(EVENT_DRAINING)) return -ECONNREFUSED;
  return length <= PIECE
    ? postPiece(process, event, data, length)
    : postToAll(process, event, null, data, length);
}

function postToPort(receiver: Process, port: u32, data: usize, length: u32): i32 {
  const head = bucketOf(receiver.pid, port);
  const event = nextListener(head, head, receiver, port);
  if (event === null) return -ECONNREFUSED;
  const second = nextListener(head, event, receiver, port);
  return second === null && length <= PIECE
    ? postPiece(receiver, event, data, length)
    : postToAll(receiver, event, second, data, length);
}

/** A message of PIECE bytes at most for one event. */
// @ts-ignore: decorator
@inline
function postPiece(receiver: Process, event: Event, data: usize, length: u32): i32 {
  const refused = checkRoom(receiver, event, length);
  if (refused != 0) return refused;
  const message = newMessage(length);
  if (message === null) return -EAGAIN;
  if (length != 0) {
    const error = fill(receiver, message, data, length);
    if (error < 0) {
      freeMessage(receiver, message);
      return error;
    }
  }
  queueMessage(event, message);
  return 0;
}

function fill(receiver: Process, message: Message, data: usize, length: u32): i32 {
  return lendBlock(receiver, message, length)
    ? copyFewToProcess(receiver, message.block, data, length)
    : -EAGAIN;
}

/**
 * Whether a message of so many bytes may wait at the event: 0 or a negative errno. What waits in messages is at most half of a process's vmtable, so that
 * senders cannot take from its sockets all that those need.
 */
// @ts-ignore: decorator
@inline
function checkRoom(receiver: Process, event: Event, length: u32): i32 {
  const most = <u32>(receiver.vmtable.size >>> 1);
  if (length > most) return -EMSGSIZE;
  return queueHasRoom(event) && receiver.messageBytes + length <= most ? 0 : -EAGAIN;
}

/** Of any length, to `event`, and, if `second` is not null, to the port's listeners from that one on. */
function postToAll(receiver: Process, event: Event, second: Event | null, data: usize, length: u32): i32 {
  // A message for each, before any of them has one.
  const error = makeMessage(receiver, event, length);
  if (error < 0) return error;
  const head = bucketOf(receiver.pid, <u32>event.object);
  while (second !== null) {
    const error = makeMessage(receiver, second, length);
    if (error < 0) return abandonPost(currentThread(), error);
    second = nextListener(head, second, receiver, <u32>event.object);
  }
  return finish(receiver, data, length);
}

/** One message more that the current thread is about to post, with room for its bytes. 0 or a negative errno. */
function makeMessage(receiver: Process, event: Event, length: u32): i32 {
  const refused = checkRoom(receiver, event, length);
  if (refused != 0) return refused;
  const message = newMessage(length);
  if (message === null) return -EAGAIN;
  if (length != 0 && !lendBlock(receiver, message, length)) {
    freeMessage(receiver, message);
    return -EAGAIN;
  }
  message.next = changetype<Message>(0);
  message.jid = event.jid;
  message.pid = receiver.pid;
  message.serial = receiver.serial;
  // Behind the others, at most EVENTS_PER_PORT.
  let link = changetype<usize>(currentThread()) + offsetof<Thread>("posting");
  while (load<usize>(link) != 0) link = load<usize>(link) + offsetof<Message>("next");
  store<usize>(link, changetype<usize>(message));
  return 0;
}

/**
 * Copies the bytes into the messages that the current thread has made, in pieces, and queues them. Between two pieces anything may happen: the
 * receiver may end, or its events, or become full; if the sender ends, its thread has the messages, and they are given back (abandonPost).
 */
function finish(receiver: Process, data: usize, length: u32): i32 {
  const thread = currentThread();
  let first = true;
  for (let at = thread.posting; at != 0; at = changetype<usize>(changetype<Message>(at).next)) {
    const message = changetype<Message>(at);
    for (let done: u32 = 0; done < length; done += PIECE) {
      if (!first) {
        yieldPoint();
        if (receiverOf(message) === null) return abandonPost(thread, -ESRCH);
      }
      first = false;
      const error = copyToProcess(receiver, message.block + done, data + done, min(length - done, PIECE));
      if (error < 0) return abandonPost(thread, error);
    }
  }
  return queueAll(thread, receiver);
}

/** Those of the events that are still there get their messages, or, where one of them has no room any more, none does. */
function queueAll(thread: Thread, receiver: Process): i32 {
  for (let at = thread.posting; at != 0; at = changetype<usize>(changetype<Message>(at).next)) {
    const event = eventOfJid(receiver, changetype<Message>(at).jid);
    if (event !== null && !queueHasRoom(event)) return abandonPost(thread, -EAGAIN);
  }
  let queued = 0;
  while (thread.posting != 0) {
    const message = changetype<Message>(thread.posting);
    thread.posting = changetype<usize>(message.next);
    const event = eventOfJid(receiver, message.jid);
    if (event === null || event.has(EVENT_DRAINING)) freeMessage(receiver, message);
    else {
      queueMessage(event, message);
      queued++;
    }
  }
  return queued != 0 ? 0 : -ECONNREFUSED;
}
