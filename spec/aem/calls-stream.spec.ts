/** The plain socket calls (net/socket/calls*.ts) and read events on connections of the real TCP, by loopback. */
import { EVENT_ACCEPT, EVENT_READ, EventFilter, EVJOBFILTER, FILTER_SIZE, READ_LIMIT } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EPIPE,
} from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { allocateBuffer, PacketBuffer, releaseBuffer } from "../../net/buffer";
import {
  sys_close,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_shutdown,
  sys_socket,
} from "../../net/socket/calls";
import { sys_recv } from "../../net/socket/calls-receive";
import { sys_send } from "../../net/socket/calls-send";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { appendReceived } from "../../net/socket/tcp/reassembly";
import * as fake from "../fake";
import {
  data,
  expectAllClosed,
  fill,
  length,
  optionOf,
  PEEK,
  portOf,
  setUpCalls,
  SOL_SOCKET,
  value,
} from "./calls";
import { expectHandler, expectNone, onRead, zone } from "./driver";
import { handlerOf, nextHandler, pattern, settle, switchTo } from "./machine";
import {
  address,
  AF_INET,
  client,
  closePair,
  connectPair,
  listener,
  LOOPBACK,
  NONBLOCK,
  passMilliseconds,
  port,
  server,
  setClient,
  STREAM,
} from "./pair";

const SO_ERROR: u32 = 4;

beforeAll(setUpCalls);

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(expectAllClosed);

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
