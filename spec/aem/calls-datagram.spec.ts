/** The plain socket calls (net/socket/calls*.ts) by loopback: arguments, and datagrams over the real UDP. */
import { EVENT_READ } from "../../aem/abi";
import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EDESTADDRREQ,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import {
  sys_bind,
  sys_close,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_socket,
} from "../../net/socket/calls";
import { sys_recv, sys_recvfrom } from "../../net/socket/calls-receive";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { sys_setsockopt } from "../../net/socket/calls-options";
import * as fake from "../fake";
import {
  data,
  expectAllClosed,
  fill,
  length,
  name,
  optionOf,
  PEEK,
  portOf,
  setUpCalls,
  SOL_SOCKET,
  value,
} from "./calls";
import { expectHandler, expectNone, onRead, zone } from "./driver";
import { pattern, settle } from "./machine";
import { address, AF_INET, DATAGRAM, LOOPBACK, NONBLOCK, STREAM } from "./pair";

const TRUNC: u32 = 0x20;

beforeAll(setUpCalls);

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(expectAllClosed);

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
