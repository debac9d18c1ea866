/**
 * The call evpost: a message to an event of another process, or of one's own. Its bytes are copied once, from the sender's memory into
 * vmtable blocks of the receiver; the kernel buffers nothing. All listeners of the port get the message, or none does.
 */
import { EAGAIN, ECONNREFUSED, EFAULT, EINVAL, EMSGSIZE, ESRCH } from "../kernel/errno";
import { userRange } from "../kernel/memory/user";
import { currentProcess, findProcess, Process } from "../kernel/process/process";
import { EVENT_DRAINING, EVENT_MESSAGE, MESSAGE_LIMIT } from "./abi";
import { Event } from "./event";
import { eventOfJid } from "./jids";
import {
  bucketOf,
  freeMessage,
  lendBlock,
  Message,
  newMessage,
  nextListener,
  queueHasRoom,
  queueMessage,
} from "./jobs/message";
import { copyToProcess } from "./transfer";

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
  if (event.job.type != EVENT_MESSAGE) return -EINVAL;
  if (event.has(EVENT_DRAINING)) return -ECONNREFUSED;
  if (!queueHasRoom(event)) return -EAGAIN;
  const made = makeMessage(process, data, length);
  if (made < 0) return <i32>made;
  queueMessage(event, changetype<Message>(<usize>made));
  return 0;
}

function postToPort(receiver: Process, port: u32, data: usize, length: u32): i32 {
  const head = bucketOf(receiver.pid, port);
  let event = nextListener(head, head, receiver, port);
  if (event === null) return -ECONNREFUSED;
  // A message for each, before any of them has one.
  let chain: usize = 0;
  while (event !== null) {
    const made = queueHasRoom(event) ? makeMessage(receiver, data, length) : -EAGAIN;
    if (made < 0) {
      freeChain(receiver, chain);
      return <i32>made;
    }
    changetype<Message>(<usize>made).next = changetype<Message>(chain);
    chain = <usize>made;
    event = nextListener(head, event, receiver, port);
  }
  event = nextListener(head, head, receiver, port);
  while (event !== null) {
    const message = changetype<Message>(chain);
    chain = changetype<usize>(message.next);
    queueMessage(event, message);
    event = nextListener(head, event, receiver, port);
  }
  return 0;
}

function freeChain(receiver: Process, chain: usize): void {
  while (chain != 0) {
    const message = changetype<Message>(chain);
    chain = changetype<usize>(message.next);
    freeMessage(receiver, message);
  }
}

/**
 * A message with its bytes in place: > 0 its address, else a negative errno. What waits in messages is at most half of a process's
 * vmtable, so that senders cannot take from its sockets all that those need.
 */
function makeMessage(receiver: Process, data: usize, length: u32): i64 {
  const most = <u32>(receiver.vmtable.size >>> 1);
  if (length > most) return -EMSGSIZE;
  if (receiver.messageBytes + length > most) return -EAGAIN;
  const message = newMessage();
  if (message === null) return -EAGAIN;
  message.length = length;
  message.from = currentProcess().pid;
  if (length == 0) return <i64>changetype<usize>(message);
  const found = lendBlock(receiver, message, length);
  const error = found ? copyToProcess(receiver, message.block, data, length) : -EAGAIN;
  if (error == 0) return <i64>changetype<usize>(message);
  freeMessage(receiver, message);
  return error;
}
