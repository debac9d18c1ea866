/** The plain socket calls (net/socket/calls*.ts) over the real UDP and TCP, by loopback; and AEM on real connections. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_READ,
  EVENT_SK,
  EVENT_TIMER,
  EventFilter,
  EVJOBFILTER,
  FILTER_SIZE,
  READ_LIMIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  ECONNRESET,
  EDESTADDRREQ,
  EFAULT,
  EINPROGRESS,
  EINTR,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  EPROTONOSUPPORT,
  ERESTART,
  ESOCKTNOSUPPORT,
} from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { wakeThread } from "../../kernel/scheduler/scheduler";
import { allocateBuffer, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { networkFlush } from "../../net/interface";
import {
  sys_accept,
  sys_bind,
  sys_close,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_listen,
  sys_shutdown,
  sys_socket,
} from "../../net/socket/calls";
import { sys_recv, sys_recvfrom } from "../../net/socket/calls-receive";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { now } from "../../kernel/time/clock";
import { sys_getsockopt, sys_setsockopt } from "../../net/socket/calls-options";
import { putSockaddr } from "../../net/socket/sockaddr";
import { Socket, SOCKET_NONBLOCK } from "../../net/socket/socket";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { appendReceived } from "../../net/socket/tcp/reassembly";
import * as fake from "../fake";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onClose,
  onRead,
  onState,
  onTimer,
  setUp,
  timePasses,
  user,
  zone,
} from "./driver";
import { nextHandler, handlerOf, pattern, settle, switchTo } from "./machine";
import {
  address,
  AF_INET,
  client,
  closePair,
  connectPair,
  DATAGRAM,
  DONTWAIT,
  listener,
  LOOPBACK,
  nextPort,
  NONBLOCK,
  passMilliseconds,
  port,
  server,
  setBlocking,
  setClient,
  setServer,
  STREAM,
} from "./pair";
import { endpoint } from "../net/addresses";

const PEEK: u32 = 2;
const TRUNC: u32 = 0x20;
const SOL_SOCKET: u32 = 1;
const SO_ERROR: u32 = 4;
/** A vector that nobody has: the idle processor woke for nothing else than what the spec did meanwhile. */
const NO_VECTOR: u32 = 0x20;

/** Places in the application's memory. */
let name: u32 = 0;
let length: u32 = 0;
let value: u32 = 0;
let data: u32 = 0;

function portOf(at: u32): u32 {
  return bswap<u16>(load<u16>(at, 2));
}
/** The window of the server is full, so that what the client sends, a FIN too, waits. */
function fillPair(): void {
  setBlocking(client, false);
  do settle();
  while (sys_send(client, data, 16384, 0) > 0);
}
/** SO_LINGER of a second. */
function lingerAndBlock(): void {
  setBlocking(client, true);
  store<i32>(value, 1);
  store<i32>(value, 1, 4);
  expect<i32>(sys_setsockopt(client, SOL_SOCKET, 13, value, 8)).toBe(0);
}
function optionOf(fd: i32, level: u32, option: u32): i32 {
  store<u32>(length, 4);
  const result = sys_getsockopt(fd, level, option, value, length);
  return result < 0 ? result : load<i32>(value);
}
function fill(bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(data + i, pattern(i));
}

beforeAll(() => {
  setUp(true);
  name = user;
  length = user + 64;
  value = user + 128;
  data = user + 8192;
});

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(() => {
  expectNothingLeft();
  passMilliseconds(5);
  expect<u32>(currentProcess().handleCount).toBe(0, "descriptors left open");
});

describe("arguments", () => {
  it("socket", () => {
    expect<i32>(sys_socket(11, STREAM, 0)).toBe(-EAFNOSUPPORT);
    expect<i32>(sys_socket(AF_INET, 3, 0)).toBe(-ESOCKTNOSUPPORT);
    expect<i32>(sys_socket(AF_INET, STREAM, 17)).toBe(-EPROTONOSUPPORT);
    expect<i32>(sys_socket(AF_INET, DATAGRAM, 6)).toBe(-EPROTONOSUPPORT);
    expect<i32>(sys_socket(AF_INET, STREAM | 0x100, 0)).toBe(-EINVAL);
    const fd = sys_socket(AF_INET, STREAM, 6);
    expect<i32>(fd).toBeGreaterThanOrEqual(0);
    expect<i32>(sys_close(fd)).toBe(0);
    expect<i32>(sys_close(fd)).toBe(-EBADF);
  });

  it("addresses that are short, foreign or not there", () => {
    const fd = sys_socket(AF_INET, DATAGRAM, 0);
    expect<i32>(sys_bind(fd, address(0, 4000), 15)).toBe(-EINVAL);
    expect<i32>(sys_bind(fd, address(0, 4000), 0xffffffff)).toBe(-EINVAL);
    expect<i32>(sys_bind(fd, 0xfffffff8, 16)).toBe(-EFAULT);
    store<u16>(address(0, 4000), 10);
    expect<i32>(sys_bind(fd, name, 16)).toBe(-EAFNOSUPPORT);
    expect<i32>(sys_bind(-1, address(0, 4000), 16)).toBe(-EBADF);
    expect<i32>(sys_bind(fd, address(0, 4000), 16)).toBe(0);
    store<u32>(length, 4);
    memory.fill(value, 0xff, 16);
    expect<i32>(sys_getsockname(fd, value, length)).toBe(0);
    expect<u32>(load<u32>(length)).toBe(16, "its whole length");
    expect<u32>(portOf(value)).toBe(4000);
    expect<u32>(load<u32>(value, 4)).toBe(0xffffffff, "beyond the room");
    store<i32>(length, -1);
    expect<i32>(sys_getsockname(fd, value, length)).toBe(-EINVAL);
    expect<i32>(sys_getsockname(fd, value, 0xfffffffe)).toBe(-EFAULT);
    expect<i32>(sys_getpeername(fd, value, length)).toBe(-ENOTCONN);
    sys_close(fd);
  });

  it("options", () => {
    const fd = sys_socket(AF_INET, STREAM, 0);
    store<u32>(value, 1);
    expect<i32>(sys_setsockopt(fd, SOL_SOCKET, 2, value, 4)).toBe(0, "SO_REUSEADDR");
    expect<i32>(sys_setsockopt(fd, SOL_SOCKET, 15, value, 4)).toBe(-ENOPROTOOPT, "SO_REUSEPORT");
    expect<i32>(sys_setsockopt(fd, 6, 1, value, 3)).toBe(-EINVAL);
    expect<i32>(sys_setsockopt(fd, 6, 1, 0xfffffffe, 4)).toBe(-EFAULT);
    expect<i32>(optionOf(fd, 6, 1)).toBe(0);
    store<u32>(value, 1);
    expect<i32>(sys_setsockopt(fd, 6, 1, value, 4)).toBe(0, "TCP_NODELAY");
    expect<i32>(optionOf(fd, 6, 1)).toBe(1);
    expect<i32>(optionOf(fd, SOL_SOCKET, 3)).toBe(1, "SO_TYPE");
    expect<i32>(optionOf(fd, SOL_SOCKET, 30)).toBe(0, "SO_ACCEPTCONN");
    expect<i32>(optionOf(fd, SOL_SOCKET, 99)).toBe(-ENOPROTOOPT);
    sys_close(fd);
  });
});

describe("datagrams", () => {
  it("go to and from", () => {
    const a = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    const b = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    expect<i32>(sys_bind(a, address(LOOPBACK, 4001), 16)).toBe(0);
    expect<i32>(sys_recv(a, data, 100, 0)).toBe(-EAGAIN);
    fill(1000);
    expect<i32>(sys_send(b, data, 10, 0)).toBe(-EDESTADDRREQ);
    expect<i32>(sys_sendto(b, 0xffff0000, 10, 0, address(LOOPBACK, 4001), 16)).toBe(-EFAULT);
    expect<i32>(sys_sendto(b, data, 65508, 0, address(LOOPBACK, 4001), 16)).toBe(-EMSGSIZE);
    expect<i32>(sys_sendto(b, data, 10, 0x100, address(LOOPBACK, 4001), 16)).toBe(-EOPNOTSUPP);
    expect<i32>(sys_sendto(b, data, 1000, 0, address(LOOPBACK, 4001), 16)).toBe(1000);
    expect<i32>(sys_sendto(b, data, 0, 0, address(LOOPBACK, 4001), 16)).toBe(0);
    settle();
    memory.fill(data, 0, 1000);
    store<u32>(length, 16);
    expect<i32>(sys_recvfrom(a, data, 100, PEEK | TRUNC, value, length)).toBe(1000, "its own length");
    expect<u32>(load<u32>(length)).toBe(16);
    const sender = portOf(value);
    expect<u32>(sender).toBeGreaterThan(0);
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(1000);
    expect<u8>(load<u8>(data + 999)).toBe(pattern(999));
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(0, "an empty one");
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(-EAGAIN);
    // With a peer.
    expect<i32>(sys_connect(a, address(LOOPBACK, sender), 16)).toBe(0);
    expect<i32>(sys_send(a, data, 5, 0)).toBe(5);
    settle();
    expect<i32>(sys_recv(b, data, 3, 0)).toBe(3, "the rest is lost");
    expect<i32>(sys_recv(b, data, 3, 0)).toBe(-EAGAIN);
    // The peer goes: an error, told once.
    sys_close(b);
    expect<i32>(sys_send(a, data, 5, 0)).toBe(5);
    settle();
    expect<i32>(sys_recv(a, data, 5, 0)).toBe(-ECONNREFUSED);
    expect<i32>(sys_recv(a, data, 5, 0)).toBe(-EAGAIN);
    sys_close(a);
  });

  it("reach a read event", () => {
    const a = sys_socket(AF_INET, DATAGRAM, 0);
    expect<i32>(sys_bind(a, address(0, 4002), 16)).toBe(0);
    onRead(a);
    fill(700);
    for (let i: u32 = 0; i < 3; i++)
      expect<i32>(sys_sendto(a, data, 700 - i, 0, address(LOOPBACK, 4002), 16)).toBe(700 - i);
    settle();
    for (let i: u32 = 0; i < 3; i++) {
      expectHandler(EVENT_READ, "a datagram");
      expect<u32>(upcallArgument4).toBe(700 - i);
      expect<i32>(memory.compare(zone(upcallArgument3), data, 700 - i)).toBe(0);
    }
    expectNone("no more");
    sys_close(a);
  });

  it("of up to 65,507 bytes go in fragments, unless the socket does not want that", () => {
    const a = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    expect<i32>(sys_bind(a, address(0, 4003), 16)).toBe(0);
    const sizes: u32[] = [1472, 1473, 1700, 5000, 40000, 65507];
    for (let i = 0; i < sizes.length; i++) {
      const size = sizes[i];
      fill(size);
      expect<i32>(sys_sendto(a, data, size, 0, address(LOOPBACK, 4003), 16)).toBe(size);
      settle();
      memory.fill(data, 0, size);
      expect<i32>(sys_recv(a, data, 3, PEEK | TRUNC)).toBe(size, "its own length");
      expect<i32>(sys_recv(a, data, 70000, 0)).toBe(size);
      for (let j: u32 = 0; j < size; j++) assert(load<u8>(data + j) == pattern(j), "a wrong byte");
    }
    fill(5000);
    expect<i32>(sys_sendto(a, data, 5000, 0, address(LOOPBACK, 4003), 16)).toBe(5000);
    settle();
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(2000, "the rest is lost");
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(-EAGAIN);
    // IP_MTU_DISCOVER
    expect<i32>(optionOf(a, 0, 10)).toBe(0, "IP_PMTUDISC_DONT");
    store<u32>(value, 2);
    expect<i32>(sys_setsockopt(a, 0, 10, value, 4)).toBe(0, "IP_PMTUDISC_DO");
    expect<i32>(optionOf(a, 0, 10)).toBe(2);
    expect<i32>(sys_sendto(a, data, 1473, 0, address(LOOPBACK, 4003), 16)).toBe(-EMSGSIZE);
    expect<i32>(sys_sendto(a, data, 1472, 0, address(LOOPBACK, 4003), 16)).toBe(1472);
    store<u32>(value, 1);
    expect<i32>(sys_setsockopt(a, 0, 10, value, 4)).toBe(-EINVAL);
    settle();
    expect<i32>(sys_recv(a, data, 2000, 0)).toBe(1472);
    // To a read event, in a block, with the sender in front.
    store<u32>(value, 0);
    expect<i32>(sys_setsockopt(a, 0, 10, value, 4)).toBe(0);
    onRead(a);
    fill(9000);
    expect<i32>(sys_sendto(a, data, 9000, 0, address(LOOPBACK, 4003), 16)).toBe(9000);
    settle();
    expectHandler(EVENT_READ, "a long datagram");
    expect<u32>(upcallArgument4).toBe(9000);
    expect<i32>(memory.compare(zone(upcallArgument3), data, 9000)).toBe(0);
    expectNone("no more");
    sys_close(a);
    const stream = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
    expect<i32>(sys_setsockopt(stream, 0, 10, value, 4)).toBe(-ENOPROTOOPT);
    sys_close(stream);
  });
});

describe("connections", () => {
  it("that nobody takes are refused; the error is told once", () => {
    const fd = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
    expect<i32>(sys_recv(fd, data, 10, 0)).toBe(-ENOTCONN);
    expect<i32>(sys_send(fd, data, 10, 0)).toBe(-ENOTCONN);
    const first = sys_connect(fd, address(LOOPBACK, 1), 16);
    expect<bool>(first == -EINPROGRESS || first == -ECONNREFUSED).toBe(true);
    settle();
    if (first == -EINPROGRESS) {
      expect<i32>(optionOf(fd, SOL_SOCKET, SO_ERROR)).toBe(ECONNREFUSED);
      expect<i32>(optionOf(fd, SOL_SOCKET, SO_ERROR)).toBe(0);
    }
    sys_close(fd);
  });

  it("have names, carry data, and end", () => {
    connectPair();
    expect<i32>(sys_connect(client, address(LOOPBACK, port), 16)).toBe(-EISCONN);
    store<u32>(length, 16);
    expect<i32>(sys_getpeername(client, value, length)).toBe(0);
    expect<u32>(portOf(value)).toBe(port);
    expect<i32>(sys_getsockname(server, value, length)).toBe(0);
    expect<u32>(portOf(value)).toBe(port);
    expect<i32>(sys_recv(server, data, 10, 0)).toBe(-EAGAIN);
    fill(5000);
    expect<i32>(sys_send(client, data, 5000, 0)).toBe(5000);
    // The last, short segment waits for an acknowledgement (Nagle), and that for its delay.
    passMilliseconds(300);
    memory.fill(data, 0, 5000);
    expect<i32>(sys_recv(server, data, 10, PEEK)).toBe(10);
    expect<i32>(sys_recv(server, data, 5000, 0)).toBe(5000);
    let wrong = 0;
    for (let i: u32 = 0; i < 5000; i++) if (load<u8>(data + i) != pattern(i)) wrong++;
    expect<i32>(wrong).toBe(0);
    expect<i32>(sys_shutdown(client, 3)).toBe(-EINVAL);
    expect<i32>(sys_shutdown(client, 1)).toBe(0);
    settle();
    expect<i32>(sys_recv(server, data, 10, 0)).toBe(0, "end of the stream");
    expect<i32>(sys_send(client, data, 10, 0)).toBe(-EPIPE);
    expect<i32>(sys_send(server, data, 10, 0)).toBe(10, "the other half is open");
    settle();
    expect<i32>(sys_recv(client, data, 10, 0)).toBe(10);
    closePair();
  });

  it("take no more than there is room for, and all of it in order", () => {
    connectPair();
    let sent: u32 = 0;
    let received: u32 = 0;
    let wrong = 0;
    let refused = 0;
    while (received < 1_000_000) {
      while (sent < 1_000_000) {
        for (let i: u32 = 0; i < 3000; i++) store<u8>(data + i, pattern(sent + i));
        const bytes = sys_send(client, data, 3000, 0);
        if (bytes < 0) {
          expect<i32>(bytes).toBe(-EAGAIN);
          refused++;
          break;
        }
        sent += bytes;
      }
      settle();
      let bytes = sys_recv(server, data, 7777, 0);
      while (bytes > 0) {
        for (let i: i32 = 0; i < bytes; i++) if (load<u8>(data + i) != pattern(received + i)) wrong++;
        received += bytes;
        bytes = sys_recv(server, data, 7777, 0);
      }
      passMilliseconds(1);
    }
    expect<u32>(received).toBe(sent);
    expect<i32>(wrong).toBe(0);
    expect<i32>(refused).toBeGreaterThan(0, "full at times");
    closePair();
  });

  it("a read event that asks for many bytes at once gets all of them, whatever the window", () => {
    connectPair();
    const jid = onRead(server);
    const filter = changetype<EventFilter>(<usize>value);
    memory.fill(value, 0, FILTER_SIZE);
    filter.size = FILTER_SIZE;
    filter.least = READ_LIMIT;
    expect<i32>(sys_evctl(jid, EVJOBFILTER, value)).toBe(0);
    let sent: u32 = 0;
    let received: u32 = 0;
    let wrong = 0;
    let small = 0;
    for (let turn = 0; turn < 20000 && received < 1_000_000; turn++) {
      while (sent < 1_000_000) {
        for (let i: u32 = 0; i < 3000; i++) store<u8>(data + i, pattern(sent + i));
        const bytes = sys_send(client, data, min(3000, 1_000_000 - sent), 0);
        if (bytes < 0) break;
        sent += bytes;
      }
      if (sent == 1_000_000) sys_shutdown(client, 1);
      settle();
      while (<u32>nextHandler() != 0) {
        const length = upcallArgument4;
        if (length < READ_LIMIT) small++;
        for (let i: u32 = 0; i < length; i++)
          if (load<u8>(zone(upcallArgument3 + i)) != pattern(received + i)) wrong++;
        received += length;
      }
      passMilliseconds(1);
    }
    expect<u32>(received).toBe(1_000_000);
    expect<i32>(wrong).toBe(0);
    // What is left at the end of the stream, and the end itself.
    expect<i32>(small).toBeLessThanOrEqual(3);
    closePair();
  });

  it("a read event that asks for many bytes gets fewer while packet memory is short", () => {
    connectPair();
    const jid = onRead(server);
    const filter = changetype<EventFilter>(<usize>value);
    memory.fill(value, 0, FILTER_SIZE);
    filter.size = FILTER_SIZE;
    filter.least = READ_LIMIT;
    expect<i32>(sys_evctl(jid, EVJOBFILTER, value)).toBe(0);
    fill(3000);
    expect<i32>(sys_send(client, data, 3000, 0)).toBe(3000);
    passMilliseconds(300);
    expectNone("held back");
    // Somebody else has nearly all buffers, and this connection's next segment finds none.
    const taken: PacketBuffer[] = [];
    for (let buffer = allocateBuffer(0); buffer !== null; buffer = allocateBuffer(0)) taken.push(buffer);
    const connection = changetype<TcpConnection>(handleObject(currentProcess(), server, HANDLE_SOCKET));
    expect<bool>(appendReceived(connection, taken[0], taken[0].data, 1900)).toBe(false, "refused");
    expectHandler(EVENT_READ, "more cannot come");
    expect<u32>(upcallArgument4).toBe(3000);
    for (let i = 0; i < taken.length; i++) releaseBuffer(taken[i]);
    expectNone("returns");
    closePair();
  });

  it("resets connections that the filter of an accept event does not let through", () => {
    const listening = listener(NONBLOCK);
    const jid = sys_sockasync_accept(listening, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    const filter = changetype<EventFilter>(<usize>value);
    memory.fill(value, 0, FILTER_SIZE);
    filter.size = FILTER_SIZE;
    store<u64>(filter.address, bswap<u64>(0xffff_0a00_0000), 8);
    filter.prefix = 96 + 8;
    expect<i32>(sys_evctl(jid, EVJOBFILTER, value)).toBe(0);
    setClient(sys_socket(AF_INET, STREAM | NONBLOCK, 0));
    sys_connect(client, address(LOOPBACK, port), 16);
    settle();
    expectNone("filtered");
    settle();
    expect<i32>(sys_recv(client, data, 10, 0)).toBe(-ECONNRESET);
    expect<i32>(sys_evctl(jid, EVJOBFILTER, 0)).toBe(0);
    sys_close(client);
    setClient(sys_socket(AF_INET, STREAM | NONBLOCK, 0));
    sys_connect(client, address(LOOPBACK, port), 16);
    settle();
    expectHandler(EVENT_ACCEPT, "not filtered");
    sys_close(<i32>upcallArgument3);
    sys_close(client);
    sys_close(listening);
    settle();
  });

  it("a fault in the application's memory loses nothing", () => {
    connectPair();
    fill(2000);
    expect<i32>(sys_send(client, data, 2000, 0)).toBe(2000);
    passMilliseconds(300);
    fake.unmapUser(data, 4096);
    expect<i32>(sys_recv(server, data, 100, 0)).toBe(-EFAULT);
    expect<i32>(sys_send(client, data, 100, 0)).toBe(-EFAULT);
    switchTo(currentProcess());
    expect<i32>(sys_recv(server, data, 2000, 0)).toBe(2000);
    expect<u8>(load<u8>(data)).toBe(pattern(0));
    closePair();
  });
});

// What happens while the processor is idle.
let steps = 0;

function peerSends(): u32 {
  if (++steps == 2) {
    sys_send(client, data + 4096, 20, DONTWAIT);
    settle();
  }
  return NO_VECTOR;
}
function timerComes(): u32 {
  steps++;
  timePasses(1_000_000);
  return NO_VECTOR;
}
function signalComes(): u32 {
  steps++;
  currentProcess().interrupted = 1;
  // As kill does: the thread looks again.
  timePasses(1);
  onTimerWake();
  return NO_VECTOR;
}
function onTimerWake(): void {
  const process = currentProcess();
  wakeThread(process.thread, 0);
}
function peerReads(): u32 {
  steps++;
  while (sys_recv(server, data + 16384, 8192, DONTWAIT) > 0) {}
  settle();
  timePasses(1_000_000);
  return NO_VECTOR;
}
function packetsGoRound(): u32 {
  steps++;
  settle();
  return NO_VECTOR;
}

describe("calls that block", () => {
  it("recv waits for data", () => {
    connectPair();
    steps = 0;
    fake.onIdle(peerSends.index);
    setBlocking(server, true);
    expect<i32>(sys_recv(server, data, 100, DONTWAIT)).toBe(-EAGAIN);
    expect<i32>(sys_recv(server, data, 100, 0)).toBe(20);
    expect<i32>(steps).toBe(2);
    const socket = changetype<Socket>(handleObject(currentProcess(), server, HANDLE_SOCKET));
    expect<bool>(socket.isEmpty).toBe(true, "nobody waits any more");
    closePair();
  });

  it("let handlers run first, and are made again", () => {
    connectPair();
    setBlocking(server, true);
    onTimer(500_000, 0);
    fake.onIdle(timerComes.index);
    expect<i32>(sys_recv(server, data, 100, 0)).toBe(-ERESTART, "a handler is to be run");
    expectHandler(EVENT_TIMER, "it");
    expectNone("done");
    closePair();
  });

  it("close with SO_LINGER waits for the peer, lets handlers run meanwhile, and is over when its time is", () => {
    connectPair();
    fillPair();
    lingerAndBlock();
    onTimer(500_000, 0);
    steps = 0;
    fake.onIdle(timerComes.index);
    const start = now();
    expect<i32>(sys_close(client)).toBe(-ERESTART, "a handler is to be run");
    expectHandler(EVENT_TIMER, "it");
    expectNone("done");
    expect<i32>(sys_close(client)).toBe(0);
    // The clock goes by milliseconds here, and a timer is late by a tick.
    expect<u64>((now() - start) / 2_000_000).toBe(500, "one second in both calls together");
    expect<i32>(sys_close(client)).toBe(-EBADF);
    closePair();

    connectPair();
    fillPair();
    lingerAndBlock();
    steps = 0;
    fake.onIdle(peerReads.index);
    expect<i32>(sys_close(client)).toBe(0);
    expect<i32>(steps).toBeGreaterThan(0, "it had to wait");
    expect<i32>(steps).toBeLessThan(500, "but not for its time");
    closePair();

    connectPair();
    fillPair();
    lingerAndBlock();
    setBlocking(client, false);
    steps = 0;
    fake.onIdle(timerComes.index);
    expect<i32>(sys_close(client)).toBe(0);
    expect<i32>(steps).toBe(0, "one that does not block does not wait");
    closePair();
  });

  it("end with -EINTR when a signal comes", () => {
    const listening = listener(0);
    steps = 0;
    fake.onIdle(signalComes.index);
    expect<i32>(sys_accept(listening, 0, 0)).toBe(-EINTR);
    expect<i32>(steps).toBe(1);
    sys_close(listening);
  });

  it("send takes all of it", () => {
    connectPair();
    setBlocking(client, true);
    steps = 0;
    fake.onIdle(peerReads.index);
    let sent = 0;
    for (let i = 0; i < 50; i++) sent += sys_send(client, data, 16384, 0);
    expect<i32>(sent).toBe(50 * 16384);
    expect<i32>(steps).toBeGreaterThan(0, "it had to wait");
    closePair();
  });

  it("send says how much it took when a handler is to be run", () => {
    connectPair();
    setBlocking(client, true);
    onTimer(500_000, 0);
    fake.onIdle(timerComes.index);
    let last = 0;
    for (let i = 0; i < 200; i++) {
      last = sys_send(client, data, 16384, 0);
      if (last != 16384) break;
    }
    expect<bool>(last > 0 || last == -ERESTART).toBe(true);
    expect<bool>(last < 16384).toBe(true, "it had to stop");
    expectHandler(EVENT_TIMER, "the handler");
    expectNone("done");
    closePair();
  });

  it("connect and accept wait for each other", () => {
    const listening = listener(0);
    const fd = sys_socket(AF_INET, STREAM, 0);
    fake.onIdle(packetsGoRound.index);
    expect<i32>(sys_connect(fd, address(LOOPBACK, port), 16)).toBe(0);
    expect<i32>(sys_connect(fd, address(LOOPBACK, port), 16)).toBe(-EISCONN);
    store<u32>(length, 16);
    const accepted = sys_accept(listening, value, length);
    expect<i32>(accepted).toBeGreaterThanOrEqual(0);
    expect<u32>(load<u32>(value, 4)).toBe(0x0100007f);
    expect<i32>(sys_connect(listening, address(LOOPBACK, port), 16)).toBeLessThan(0);
    sys_close(fd);
    sys_close(accepted);
    sys_close(listening);
    settle();
  });
});

/** Every transition that sk events reported since the last call, as hexadecimal digits: old and new of each. */
let transitions = "";

function runHandlers(): void {
  for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
    if ((code & 0xff) == EVENT_SK) {
      transitions += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
    } else if ((code & 0xff) == EVENT_ACCEPT) {
      setServer(<i32>upcallArgument3);
    }
  }
}

describe("events of real connections", () => {
  it("accept, every state, data, end and close of an orderly connection", () => {
    const listening = sys_socket(AF_INET, STREAM, 0);
    onState(listening);
    expect<i32>(sys_bind(listening, address(0, nextPort()), 16)).toBe(0);
    expect<i32>(sys_listen(listening, 5)).toBe(0);
    runHandlers();
    expect<string>(transitions).toBe("7>a ", "CLOSE -> LISTEN");
    transitions = "";
    sys_sockasync_accept(listening, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    setClient(sys_socket(AF_INET, STREAM | NONBLOCK, 0));
    onState(client);
    sys_connect(client, address(LOOPBACK, port), 16);
    settle();
    setServer(-1);
    runHandlers();
    expect<string>(transitions).toBe("7>2 2>1 ", "SYN_SENT, ESTABLISHED");
    expect<i32>(server).toBeGreaterThanOrEqual(0);
    transitions = "";
    onState(server);
    const closer = onClose(server);
    onRead(server);
    fill(3000);
    expect<i32>(sys_send(client, data, 3000, 0)).toBe(3000);
    sys_shutdown(client, 1);
    settle();
    // In the order in which they occurred: data, the state, the end, and the close behind it.
    let received: u32 = 0;
    let ends = "";
    let order = "";
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
      const type = code & 0xff;
      if (type == EVENT_READ && upcallArgument4 != 0) {
        expect<i32>(memory.compare(zone(upcallArgument3), data + received, upcallArgument4)).toBe(0, "data");
        received += upcallArgument4;
      } else if (type == EVENT_READ) order += "end ";
      else if (type == EVENT_CLOSE) {
        order += "close ";
        expect<i32>(<i32>upcallArgument1).toBe(closer);
        expect<u32>(upcallArgument3).toBe(0);
      } else if (type == EVENT_SK) {
        if (<i32>upcallArgument2 == client)
          transitions += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
        else ends += upcallArgument3.toString(16) + ">" + upcallArgument4.toString(16) + " ";
      }
    }
    expect<u32>(received).toBe(3000);
    expect<string>(order).toBe("end close ");
    expect<string>(ends).toBe(
      "a>3 3>1 1>8 ",
      "SYN_RECV, ESTABLISHED, CLOSE_WAIT at the server, although it was accepted before",
    );
    expect<string>(transitions).toBe("1>4 4>5 ", "FIN_WAIT1, FIN_WAIT2");
    transitions = "";
    sys_close(server);
    settle();
    runHandlers();
    expect<string>(transitions).toBe("5>6 ", "TIME_WAIT");
    sys_close(client);
    sys_close(listening);
    transitions = "";
  });

  it("a reset reaches read and close", () => {
    connectPair();
    const closer = onClose(client);
    onRead(client);
    // Unread data at a close: the peer is told by a reset.
    sys_send(client, data, 10, 0);
    settle();
    sys_close(server);
    settle();
    expectHandler(EVENT_READ, "the error");
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNRESET);
    expectHandler(EVENT_CLOSE, "and the close");
    expect<i32>(<i32>upcallArgument1).toBe(closer);
    expect<i32>(<i32>upcallArgument3).toBe(-ECONNRESET);
    expectNone("once");
    sys_close(client);
  });
});
