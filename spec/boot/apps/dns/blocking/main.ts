/**
 * `lookup`, remote-controlled on UDP port 5301: main code waits for a command, then for the answer. `TAG A NAME` and `TAG AAAA NAME`; with `then` in front
 * of the type it calls `resolve` instead, and sleeps until the handler was called; `TAG in A NAME` looks up inside of a handler; `TAG fork A NAME` calls `resolve`, and so
 * does a child that was forked meanwhile: its answer's last octet is the first address of the reply.
 */
import {
  bindUdp,
  exit,
  fork,
  lookupName,
  nanosleep,
  onTimer,
  poll,
  POLLIN,
  recvfrom,
  resolveName,
  sendto,
  SOCKADDR_SIZE,
  TYPE_A,
  TYPE_AAAA,
  waitpid,
} from "../../../../../sdk";
import { isWord, putResult, REPLY_ROOM, wordEnd } from "../text";

const input = memory.data(512, 8);
const reply = memory.data(512, 8);
const from = memory.data(16, 8);
const fromLength = memory.data(4, 4);
const addresses = memory.data(128, 8);
const ready = memory.data(8, 8);
const status = memory.data(4, 4);

let name: usize = 0;
let nameLength: i32 = 0;
let type: u32 = TYPE_A;
let result: i32 = 0;
let done: bool = false;

export function main(): i32 {
  const fd = bindUdp(5301);
  if (fd < 0) return 1;
  while (true) {
    store<i32>(ready, fd);
    store<u32>(ready, POLLIN, 4);
    poll(ready, 1, -1);
    store<i32>(fromLength, SOCKADDR_SIZE);
    const length = recvfrom(fd, input, 512, 0, from, fromLength);
    if (length <= 0) continue;
    const end = serve(input + length);
    sendto(fd, reply, <i32>(end - reply), 0, from, SOCKADDR_SIZE);
  }
}

function serve(end: usize): usize {
  const tag = wordEnd(input, end) - input;
  let verb = input + tag + 1;
  const then = isWord(verb, wordEnd(verb, end), "then");
  const inside = isWord(verb, wordEnd(verb, end), "in");
  const forks = isWord(verb, wordEnd(verb, end), "fork");
  if (then || inside || forks) verb = wordEnd(verb, end) + 1;
  type = isWord(verb, wordEnd(verb, end), "AAAA") ? TYPE_AAAA : TYPE_A;
  name = wordEnd(verb, end) + 1;
  nameLength = <i32>(end - name);
  done = false;
  if (forks) askTwice();
  else if (then) {
    result = resolveName(name, nameLength, found, type);
    if (result < 0) done = true;
  } else if (inside) onTimer(0, 0, within);
  else within(0, 0);
  while (!done) nanosleep(1_000_000);
  memory.copy(reply, input, tag);
  const stop = putResult(reply + tag, addresses, result, type == TYPE_AAAA);
  assert(stop <= reply + REPLY_ROOM);
  return stop;
}

/** Asks, and has a child ask that begins while the answer is still awaited. */
function askTwice(): void {
  result = resolveName(name, nameLength, found, type);
  const pid = fork(0);
  if (pid == 0) result = resolveName(name, nameLength, found, type);
  while (!done) nanosleep(1_000_000);
  if (pid == 0) exit(load<u8>(addresses));
  waitpid(pid, status, 0);
  store<u32>(addresses, load<u32>(addresses), 4);
  store<u32>(addresses, load<u32>(status));
  result++;
}

function within(jid: i32, overrun: i32): void {
  result = lookupName(name, nameLength, addresses, 8, type);
  done = true;
}

function found(id: i32, list: usize, count: i32): void {
  if (count > 0) memory.copy(addresses, list, (<usize>count) << (type == TYPE_A ? 2 : 4));
  result = count;
  done = true;
}
