/**
 * Several read events on one socket (AEM 3.6.5) over the real TCP and UDP, by loopback, in random interleavings against a model: each event
 * gets all bytes, or datagrams, from its registration on, in order, once, at its own pace; the socket holds exactly what somebody has
 * still to be given; and in the end nothing is left behind.
 */
import {
  EVENT_ENDED,
  EVENT_READ,
  EventBuffer,
  EventFilter,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVF_ONESHOT,
  EVTBLINIT,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventOfJid } from "../../aem/jids";
import { ahead as aheadOf, isShared } from "../../aem/jobs/shared";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, ECONNREFUSED, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4, upcallArgument5 } from "../../kernel/glue";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { HANDLE_SOCKET, handleObject, shareHandles } from "../../kernel/process/handles";
import { currentProcess, Process } from "../../kernel/process/process";
import { bufferPool } from "../../net/buffer";
import {
  sys_accept,
  sys_bind,
  sys_close,
  sys_connect,
  sys_listen,
  sys_shutdown,
  sys_socket,
} from "../../net/socket/calls";
import { sys_recv } from "../../net/socket/calls-receive";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { putSockaddr, SOCKADDR_SIZE } from "../../net/socket/sockaddr";
import { Socket, SOCKET_NODELAY } from "../../net/socket/socket";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { UdpSocket } from "../../net/socket/udp-socket";
import { chance, seedChance } from "../chance";
import { growMemory } from "../arena";
import { expectNothingLeft, onClose, onRead, readStatistics, setUp, timePasses, user, zone } from "./driver";
import { HANDLER_CODE, newProcess, nextHandler, pattern, settle, switchTo } from "./machine";
import { endpoint } from "../net/addresses";

const AF_INET: u32 = 2;
const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;
const NONBLOCK: u32 = 0x800;
const DONTWAIT: u32 = 0x40;
const LOOPBACK: u32 = 0x7f000001;
const SHUT_RD: i32 = 0;
const SHUT_WR: i32 = 1;
/** As many as a model has at once. */
const LISTENERS: i32 = 6;

/** A read event as the model knows it. */
class Listener {
  stopped: bool = false;
  draining: bool = false;
  ended: bool = false;
  /** Position behind its last byte, or number of datagrams that it has had. */
  position: u32;
  /** Buffers that it has been given: addresses. */
  buffers: u32[] = [];
  constructor(
    readonly jid: i32,
    position: u32,
    readonly oneshot: bool,
  ) {
    this.position = position;
  }
}

let listeners: Listener[] = [];
let handling: Listener | null = null;
let kept: u32[] = [];
let client: i32 = 0;
let server: i32 = 0;
let port: u32 = 7000;
/** Where the application's memory has room to send from and for buffers. */
let outgoing: u32 = 0;
let scratch: u32 = 0;
let own: u32 = 0;
/** What was sent: bytes, or datagrams and their lengths. What nobody has had any more begins at `head`. */
let sent: u32 = 0;
let lengths: u32[] = [];
let head: u32 = 0;
/** Over all seeds. */
let delivered = 0;
let ahead = 0;
let held = 0;

function name(host: u32, number: u32): u32 {
  putSockaddr(scratch, endpoint(host, number));
  return scratch;
}
function socketOf(fd: i32): usize {
  return handleObject(currentProcess(), fd, HANDLE_SOCKET);
}
function connection(): TcpConnection {
  return changetype<TcpConnection>(socketOf(server));
}
function udp(): UdpSocket {
  return changetype<UdpSocket>(socketOf(server));
}

function openStreams(): void {
  const listening = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
  assert(sys_bind(listening, name(0, ++port), 16) == 0 && sys_listen(listening, 5) == 0, "listen");
  client = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
  sys_connect(client, name(LOOPBACK, port), 16);
  settle();
  server = sys_accept(listening, 0, 0);
  assert(server >= 0, "accept");
  changetype<Socket>(socketOf(client)).flags |= SOCKET_NODELAY;
  sys_close(listening);
  settle();
  begin();
}

function openDatagrams(): void {
  server = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
  client = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
  assert(sys_bind(server, name(0, ++port), 16) == 0, "bind");
  assert(sys_connect(client, name(LOOPBACK, port), 16) == 0, "connect");
  begin();
}

function begin(): void {
  sent = 0;
  head = 0;
  lengths = [];
  listeners = [];
  handling = null;
  kept = [];
}

function end(): void {
  sys_evctl(0, EVTBLINIT, 0);
  nextHandler();
  while (kept.length > 0) sys_vmtable_free(kept.pop());
  sys_close(client);
  sys_close(server);
  settle();
  listeners = [];
  handling = null;
}

function send(bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(outgoing + i, pattern(sent + i));
  const result = sys_send(client, outgoing, bytes, DONTWAIT);
  assert(result > 0 || result == -EAGAIN, "send");
  if (result > 0) sent += result;
  settle();
}

/** Datagram n has the bytes of the pattern from 251 n on. */
function sendDatagram(bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(outgoing + i, pattern(251 * sent + i));
  const before = udp().drops;
  assert(sys_send(client, outgoing, bytes, DONTWAIT) == bytes, "send");
  settle();
  if (udp().drops != before) {
    held++;
    return;
  }
  sent++;
  lengths.push(bytes);
}

function wrong(address: u32, position: u32, length: u32): i32 {
  let wrong = 0;
  for (let i: u32 = 0; i < length; i++) {
    const at = address + i;
    if (load<u8>(at < <u32>VMTABLE_BASE ? <usize>at : zone(at)) != pattern(position + i)) wrong++;
  }
  return wrong;
}

// ---- The model ----

/** Where the next one begins: with what none has had. */
function foremost(): u32 {
  let most = head;
  for (let i = 0; i < listeners.length; i++) if (!listeners[i].ended) most = max(most, listeners[i].position);
  return most;
}

function slowest(): u32 {
  let least = u32.MAX_VALUE;
  for (let i = 0; i < listeners.length; i++)
    if (!listeners[i].ended) least = min(least, listeners[i].position);
  return least == u32.MAX_VALUE ? head : least;
}

function forget(listener: Listener): void {
  head = slowest();
  const index = listeners.indexOf(listener);
  if (index >= 0) listeners.splice(index, 1);
  head = max(head, slowest());
}

function register(): void {
  if (listeners.length >= LISTENERS) return;
  const oneshot = chance(8) == 0;
  const position = foremost();
  const jid = onRead(server, oneshot ? EVF_ONESHOT : 0);
  assert(jid > 0, "register");
  listeners.push(new Listener(jid, position, oneshot));
}

function returned(): void {
  const listener = handling;
  handling = null;
  if (listener === null) return;
  if (sys_evctl(listener.jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listener);
  else assert(!listener.oneshot, "a oneshot event has returned and goes on");
}

function dispatch(stream: bool): bool {
  const code = <u32>nextHandler();
  returned();
  // Those that drain end, too, without a call, when others have left them nothing.
  for (let i = listeners.length - 1; i >= 0; i--) {
    if (listeners[i].draining && sys_evctl(listeners[i].jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listeners[i]);
  }
  if (code == 0) return false;
  assert(code == HANDLER_CODE + EVENT_READ, "the handler of another type");
  for (let i = 0; i < listeners.length; i++)
    if (listeners[i].jid == <i32>upcallArgument1) handling = listeners[i];
  assert(handling !== null, "delivered to an event that has ended");
  const listener = handling!;
  assert(!listener.stopped && !listener.ended, "delivered to one that is stopped, or has told the end");
  delivered++;
  const length = <i32>upcallArgument4;
  const data = upcallArgument3;
  if (data == 0) {
    assert(stream && length == 0, "an error");
    assert(listener.position == sent, "the end before the data");
    listener.ended = true;
    return true;
  }
  if (stream) {
    assert(length > 0 && <u32>length <= READ_LIMIT, "length");
    assert(listener.position + length <= sent, "more than was sent");
    assert(wrong(data, listener.position, length) == 0, "bytes of a stream");
    listener.position += length;
  } else {
    assert(listener.position < sent, "more datagrams than were sent");
    assert(<u32>length == lengths[listener.position], "length of a datagram");
    assert(wrong(data, 251 * listener.position, length) == 0, "bytes of a datagram");
    listener.position++;
  }
  if (listener.position > slowest()) ahead++;
  const from = stream ? data : data - SOCKADDR_SIZE;
  if (data < <u32>VMTABLE_BASE) assert(listener.buffers.shift() == from, "another buffer");
  else if (chance(6) == 0) {
    assert(sys_vmtable_keep(data) == 0, "keep");
    kept.push(data);
  }
  return true;
}

function control(stream: bool): void {
  if (listeners.length == 0) return;
  const listener = listeners[chance(listeners.length)];
  if (listener.draining || sys_evctl(listener.jid, EVJOBLOOKUP, 0) < 0) return;
  const what = chance(12);
  if (what < 2) {
    sys_evctl(listener.jid, EVJOBSTOP, 0);
    listener.stopped = true;
  } else if (what < 6) {
    sys_evctl(listener.jid, EVJOBSTART, 0);
    listener.stopped = false;
  } else if (what == 6) {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "shut down");
    forget(listener);
  } else if (what == 7) {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DELIVER) == 0, "shut down");
    listener.stopped = false;
    if (sys_evctl(listener.jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listener);
    else listener.draining = true;
  } else if (what == 8) {
    // Room that this makes may bring more in at once, which is not dropped.
    const all = queueEnd(stream);
    assert(sys_evctl(listener.jid, EVJOBCLEAN, 0) >= 0, "clean");
    listener.position = all;
  } else if (what == 9 && listener.buffers.length < 4) {
    const buffer = changetype<EventBuffer>(<usize>scratch);
    buffer.size = 16;
    buffer.address = own;
    buffer.length = 2048;
    buffer.flags = 0;
    assert(sys_evctl(listener.jid, EVJOBBUFFER, scratch) == 0, "buffer");
    listener.buffers.push(own);
  } else if (what == 10 && stream) {
    const filter = changetype<EventFilter>(<usize>scratch);
    memory.fill(scratch, 0, 20);
    filter.size = 20;
    filter.least = chance(3) == 0 ? 0 : chance(6000);
    assert(sys_evctl(listener.jid, EVJOBFILTER, scratch) == 0, "filter");
  } else readStatistics(listener.jid);
}

/** Position behind what is in the socket: what was sent may still be with the sender. */
function queueEnd(stream: bool): u32 {
  if (!stream) return sent;
  const c = connection();
  const end = c.RCV_NXT - c.IRS - 1;
  return min(end, sent);
}

/** A recv takes what the slowest has not had yet, from all. */
function receive(stream: bool): void {
  head = slowest();
  const limit = 1 + chance(4000);
  const length = sys_recv(server, user + 4096, limit, DONTWAIT);
  if (length == -EAGAIN) {
    assert(head == queueEnd(stream), "recv found nothing");
    return;
  }
  assert(length > 0, "recv");
  if (stream) assert(wrong(user + 4096, head, length) == 0, "recv");
  else assert(wrong(user + 4096, 251 * head, length) == 0, "recv of a datagram");
  head += stream ? length : 1;
  for (let i = 0; i < listeners.length; i++)
    if (!listeners[i].ended) listeners[i].position = max(listeners[i].position, head);
}

/** The socket holds what somebody has still to be given, not more and not less. */
function checkQueue(stream: bool): void {
  head = slowest();
  const there = stream ? connection().receivedBytes : udp().queue.count;
  assert(there == queueEnd(stream) - head, "what the socket holds");
  const socket = changetype<Socket>(socketOf(server));
  for (let i = 0; isShared(socket) && i < listeners.length; i++) {
    const event = eventOfJid(currentProcess(), listeners[i].jid);
    if (event === null || listeners[i].ended) continue;
    assert(head + aheadOf(event, socket) == listeners[i].position, "position of an event");
  }
  if (stream && connection().receivedBytes > 60000) held++;
}

function freeKept(count: u32): void {
  for (; count > 0 && kept.length > 0; count--) {
    const index = chance(kept.length);
    assert(sys_vmtable_free(kept[index]) == 0, "free");
    kept.splice(index, 1);
  }
}

function step(stream: bool): void {
  const what = chance(100);
  if (what < 30) {
    // Some are longer than a packet: they come in fragments, and stand in several buffers.
    if (!stream) sendDatagram(1 + chance(chance(8) == 0 ? 3900 : 1400));
    else send(chance(3) == 0 ? 1 + chance(20000) : 1 + chance(900));
  } else if (what < 80) dispatch(stream);
  else if (what < 85) register();
  else if (what < 93) control(stream);
  else if (what < 94) receive(stream);
  else freeKept(2);
  checkQueue(stream);
}

/** Nothing stops, keeps or holds back any more: each gets what is left. */
function finish(stream: bool): void {
  returned();
  const filter = changetype<EventFilter>(<usize>scratch);
  for (let i = 0; i < listeners.length; i++) {
    if (listeners[i].draining) continue;
    sys_evctl(listeners[i].jid, EVJOBSTART, 0);
    listeners[i].stopped = false;
    memory.fill(scratch, 0, 20);
    filter.size = 20;
    sys_evctl(listeners[i].jid, EVJOBFILTER, scratch);
  }
  freeKept(u32.MAX_VALUE);
  for (let idle = 0; idle < 3;) {
    idle = dispatch(stream) ? 0 : idle + 1;
    freeKept(1);
    settle();
    checkQueue(stream);
  }
  timePasses(500_000_000);
  settle();
  while (dispatch(stream)) freeKept(1);
}

beforeAll(() => {
  setUp(true);
  scratch = user;
  outgoing = <u32>growMemory(32768, 8);
  own = <u32>growMemory(4096, 8);
});

afterEach(() => {
  end();
  expectNothingLeft();
  // TIME-WAIT and delayed acknowledgements hold no buffers.
  timePasses(1_000_000_000);
  settle();
  expect<u32>(bufferPool().inUse).toBe(0, "packet buffers");
  expect<u32>(currentProcess().handleCount).toBe(0, "descriptors");
});

describe("3.6.5 several read events on one socket", () => {
  it("of a stream each get all bytes from their registration on, and the end", () => {
    for (let seed: u32 = 1; seed <= 20; seed++) {
      seedChance(seed);
      openStreams();
      for (let i = 0; i < 1000; i++) step(true);
      finish(true);
      sys_shutdown(client, SHUT_WR);
      settle();
      while (dispatch(true)) freeKept(1);
      for (let i = 0; i < listeners.length; i++) {
        assert(listeners[i].position == sent && listeners[i].ended, "one has not had all, or no end");
        assert((sys_evctl(listeners[i].jid, EVJOBLOOKUP, 0) & EVENT_ENDED) != 0, "EVENT_ENDED");
        readStatistics(listeners[i].jid);
      }
      end();
      expectNothingLeft();
    }
    expect<i32>(delivered).toBeGreaterThan(5000);
    expect<i32>(ahead).toBeGreaterThan(1500, "some were ahead of others");
    expect<i32>(held).toBeGreaterThan(100, "the socket was full for a slow one at times");
    openStreams();
  });

  it("of datagrams each get all datagrams from their registration on", () => {
    delivered = ahead = held = 0;
    for (let seed: u32 = 1; seed <= 20; seed++) {
      seedChance(seed);
      openDatagrams();
      for (let i = 0; i < 1000; i++) step(false);
      finish(false);
      for (let i = 0; i < listeners.length; i++) {
        assert(listeners[i].position == sent, "one has not had all");
        readStatistics(listeners[i].jid);
      }
      end();
      expectNothingLeft();
    }
    expect<i32>(delivered).toBeGreaterThan(5000);
    expect<i32>(ahead).toBeGreaterThan(1500, "some were ahead of others");
    expect<i32>(held).toBeGreaterThan(50, "a slow one had the queue full at times");
    openDatagrams();
  });

  it("do not hold each other up before the receive buffer is full", () => {
    openStreams();
    onRead(server);
    const slow = onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    let fast: u32 = 0;
    for (let i = 0; i < 1000 && fast < connection().receiveLimit / 2; i++) {
      send(1400);
      while (nextHandler() != 0) {
        expect<i32>(wrong(upcallArgument3, fast, upcallArgument4)).toBe(0);
        fast += upcallArgument4;
      }
    }
    expect<u32>(fast).toBe(sent, "the fast one has had all");
    expect<u32>(fast).toBeGreaterThan(connection().receiveLimit / 2 - 1);
    // Then the sender has to wait, and goes on when the slow one does.
    for (let i = 0; i < 1000; i++) send(1400);
    while (nextHandler() != 0) fast += upcallArgument4;
    expect<u32>(fast).toBeLessThan(sent, "the window is closed");
    sys_evctl(slow, EVJOBSTART, 0);
    let slowHad: u32 = 0;
    for (let i = 0; i < 100; i++) {
      while (nextHandler() != 0) {
        if (<i32>upcallArgument1 == slow) {
          assert(wrong(upcallArgument3, slowHad, upcallArgument4) == 0, "bytes of the slow one");
          slowHad += upcallArgument4;
        } else fast += upcallArgument4;
        settle();
      }
      timePasses(100_000_000);
      settle();
    }
    expect<u32>(fast).toBe(sent);
    expect<u32>(slowHad).toBe(sent);
    expect<u32>(connection().receivedBytes).toBe(0);
  });

  it("each hear of a datagram's error once, after their data", () => {
    openDatagrams();
    // Nobody listens at the port that the server is connected to, and sends to.
    sys_close(client);
    client = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    const self = port;
    assert(sys_bind(client, name(LOOPBACK, ++port), 16) == 0, "bind");
    assert(sys_connect(server, name(LOOPBACK, port), 16) == 0, "connect");
    const first = onRead(server);
    const second = onRead(server);
    const third = onRead(server);
    sys_evctl(third, EVJOBSTOP, 0);
    store<u8>(outgoing, pattern(0));
    assert(sys_sendto(client, outgoing, 1, DONTWAIT, name(LOOPBACK, self), 16) == 1, "send");
    sys_close(client);
    assert(sys_send(server, outgoing, 1, DONTWAIT) == 1, "send");
    settle();
    const data: i32[] = [0, 0, 0];
    const errors: i32[] = [0, 0, 0];
    for (let turn = 0; turn < 2; turn++) {
      while (nextHandler() != 0) {
        const which = <i32>upcallArgument1 == first ? 0 : <i32>upcallArgument1 == second ? 1 : 2;
        if (upcallArgument5 != 0) data[which]++;
        else {
          expect<i32>(<i32>upcallArgument4).toBe(-ECONNREFUSED);
          expect<i32>(data[which]).toBe(1, "data before the error");
          errors[which]++;
        }
      }
      expect<i32>(data[2]).toBe(turn);
      readStatistics(first);
      readStatistics(third);
      sys_evctl(third, EVJOBSTART, 0);
    }
    for (let i = 0; i < 3; i++) {
      expect<i32>(data[i]).toBe(1, "the datagram");
      expect<i32>(errors[i]).toBe(1, "the error");
    }
    client = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
  });

  it("do not look at what shutdown has thrown away", () => {
    openDatagrams();
    const peer = port;
    const slow = onRead(server);
    onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    for (let i = 0; i < 20; i++) sendDatagram(100);
    while (nextHandler() != 0) assert(<i32>upcallArgument1 != slow, "stopped");
    expect<u32>(udp().queue.count).toBe(20, "for the slow one");
    assert(sys_connect(server, name(LOOPBACK, peer), 16) == 0, "connect");
    assert(sys_shutdown(server, SHUT_RD) == 0, "shutdown");
    expect<u32>(udp().queue.count).toBe(0);
    sys_evctl(slow, EVJOBSTART, 0);
    let ends = 0;
    while (nextHandler() != 0) {
      expect<u32>(upcallArgument3).toBe(0);
      expect<i32>(<i32>upcallArgument4).toBe(0);
      ends++;
    }
    expect<i32>(ends).toBe(2, "each hears of the end");
    expect<u32>(changetype<Socket>(socketOf(server)).readers).toBe(0);
  });

  it("have a close event behind the last of them", () => {
    openStreams();
    const closing = onClose(server);
    const slow = onRead(server);
    onRead(server);
    sys_evctl(slow, EVJOBSTOP, 0);
    send(3000);
    sys_shutdown(client, SHUT_WR);
    settle();
    let order = "";
    for (let turn = 0; turn < 2; turn++) {
      while (nextHandler() != 0) {
        if (<i32>upcallArgument1 == closing) order += "c";
        else order += upcallArgument3 == 0 ? "e" : "d";
      }
      sys_evctl(slow, EVJOBSTART, 0);
    }
    expect<string>(order).toBe("dedec");
  });

  it("of two processes that share the socket get all, and one that closes it holds nothing back", () => {
    openStreams();
    const parent = currentProcess();
    const child = newProcess();
    assert(shareHandles(parent, child), "shareHandles");
    const fds = server;
    onRead(server);
    switchTo(child);
    assert(onRead(fds) > 0, "register in the child");
    switchTo(parent);
    send(5000);
    expect<u32>(drain()).toBe(5000, "the parent");
    expect<u32>(connection().receivedBytes).toBe(5000, "for the child");
    switchTo(child);
    expect<u32>(drain()).toBe(5000, "the child");
    expect<u32>(connection().receivedBytes).toBe(0, "all have had it");
    switchTo(parent);
    send(4000);
    expect<u32>(drain()).toBe(4000);
    expect<u32>(connection().receivedBytes).toBe(4000);
    switchTo(child);
    // The socket stays open in the parent.
    assert(sys_close(fds) == 0 && sys_close(client) == 0, "close");
    nextHandler();
    switchTo(parent);
    expect<u32>(connection().receivedBytes).toBe(0, "nobody waits for it");
    expect<u32>(child.vmtable.blocks).toBe(0);
  });
});

/** Has the current process's handlers run; how many bytes they got, in order from a multiple of what is expected. */
function drain(): u32 {
  let bytes: u32 = 0;
  while (nextHandler() != 0) bytes += upcallArgument4;
  return bytes;
}
