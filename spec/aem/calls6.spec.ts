/** Sockets of AF_INET6 by loopback: names, both versions on one listener, IPV6_V6ONLY; and AEM events on them. */
import {
  EAFNOSUPPORT,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EFAULT,
  EINVAL,
  ENETUNREACH,
  ENOPROTOOPT,
} from "../../kernel/errno";
import { EVENT_ACCEPT, EVENT_READ } from "../../aem/abi";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { upcallArgument3, upcallArgument4, upcallArgument5 } from "../../kernel/glue";
import {
  sys_accept,
  sys_bind,
  sys_close,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_listen,
  sys_socket,
} from "../../net/socket/calls";
import { sys_recv, sys_recvfrom } from "../../net/socket/calls-receive";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { sys_setsockopt } from "../../net/socket/calls-options";
import { loadAddress, storeAddress } from "../../net/wire/ipv6";
import { address6 } from "../net/frames6";
import * as fake from "../fake";
import { data, expectAllClosed, length, name, optionOf, portOf, setUpCalls, value } from "./calls";
import { expectHandler, onRead, user, zone } from "./driver";
import { handlerOf, settle } from "./machine";

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const STREAM: u32 = 0x801;
const DATAGRAM: u32 = 0x802;
const IPV6: u32 = 41;
const V6ONLY: u32 = 26;
/** Low halves of ::1 and of ::ffff:127.0.0.1. */
const ONE: u64 = 1;
const MAPPED: u64 = 0xffff_7f00_0001;

let port: u32 = 7000;

/** A sockaddr_in6 with an address of ::/64. */
function name6(low: u64, number: u32): u32 {
  memory.fill(name, 0, 28);
  store<u16>(name, <u16>AF_INET6);
  store<u16>(name, bswap<u16>(<u16>number), 2);
  storeAddress(name + 8, address6(0, low));
  return name;
}
function name4(address: u32, number: u32): u32 {
  memory.fill(name, 0, 16);
  store<u16>(name, <u16>AF_INET);
  store<u16>(name, bswap<u16>(<u16>number), 2);
  store<u32>(name, bswap<u32>(address), 4);
  return name;
}
function option(fd: i32, on: u32): i32 {
  store<u32>(value, on);
  return sys_setsockopt(fd, IPV6, V6ONLY, value, 4);
}
function bound(type: u32, low: u64, number: u32): i32 {
  const fd = sys_socket(AF_INET6, type, 0);
  expect<i32>(sys_bind(fd, name6(low, number), 28)).toBe(0, "bind");
  return fd;
}
/** Expects a sockaddr_in6 of 28 bytes at `at`, with an address of ::/64; its port. */
function expectName(at: usize, low: u64, what: string): u32 {
  expect<u32>(load<u16>(at)).toBe(AF_INET6, what);
  expect<u32>(load<u32>(at, 4)).toBe(0, what);
  const address = address6(9, 9);
  loadAddress(address, at + 8);
  expect<u64>(address.high).toBe(0, what);
  expect<u64>(address.low).toBe(low, what);
  expect<u32>(load<u32>(at, 24)).toBe(0, what);
  return portOf(<u32>at);
}
/** The answer of getsockname or getpeername, as above. */
function nameOf(fd: i32, peer: bool, low: u64, what: string): u32 {
  memory.fill(name, 0xee, 64);
  store<u32>(length, 64);
  expect<i32>(peer ? sys_getpeername(fd, name, length) : sys_getsockname(fd, name, length)).toBe(0, what);
  expect<u32>(load<u32>(length)).toBe(28, what);
  expect<u32>(<u32>load<u8>(name, 28)).toBe(0xee, what);
  return expectName(name, low, what);
}

beforeAll(setUpCalls);

beforeEach(() => {
  fake.onIdle(0);
});

afterEach(expectAllClosed);

describe("names of IPv6", () => {
  it("have 28 bytes and the family of the socket", () => {
    const fd = sys_socket(AF_INET6, DATAGRAM, 0);
    for (let size: u32 = 0; size < 28; size++) expect<i32>(sys_bind(fd, name6(0, 7001), size)).toBe(-EINVAL);
    expect<i32>(sys_bind(fd, name4(0, 7001), 28)).toBe(-EAFNOSUPPORT);
    expect<i32>(sys_bind(fd, 0xffff_fff0, 28)).toBe(-EFAULT);
    name6(5, 7001);
    expect<i32>(sys_bind(fd, name, 28)).toBe(-EADDRNOTAVAIL);
    expect<u32>(nameOf(fd, false, 0, "unbound")).toBe(0);
    expect<i32>(sys_bind(fd, name6(0, 7001), 28)).toBe(0);
    expect<u32>(nameOf(fd, false, 0, "bound")).toBe(7001);
    // Cut to the room that there is.
    memory.fill(name, 0xee, 64);
    store<u32>(length, 10);
    expect<i32>(sys_getsockname(fd, name, length)).toBe(0);
    expect<u32>(load<u32>(length)).toBe(28);
    expect<u32>(<u32>load<u8>(name, 10)).toBe(0xee);
    const four = sys_socket(AF_INET, DATAGRAM, 0);
    expect<i32>(sys_bind(four, name6(0, 7002), 28)).toBe(-EAFNOSUPPORT);
    sys_close(four);
    sys_close(fd);
  });
});

describe("a listener for both", () => {
  it("takes connections of both versions, and names them", () => {
    const listening = bound(STREAM, 0, ++port);
    expect<i32>(sys_listen(listening, 5)).toBe(0);
    for (let kind = 0; kind < 3; kind++) {
      const six = kind != 2;
      const low = kind == 0 ? ONE : MAPPED;
      const client = sys_socket(six ? AF_INET6 : AF_INET, STREAM, 0);
      const begun = six
        ? sys_connect(client, name6(low, port), 28)
        : sys_connect(client, name4(0x7f00_0001, port), 16);
      expect<bool>(begun == 0 || begun == -115).toBe(true);
      settle();
      store<u32>(length, 28);
      const server = sys_accept(listening, name, length);
      expect<i32>(server).toBeGreaterThanOrEqual(0, "accept");
      expect<u32>(load<u32>(length)).toBe(28);
      const number = expectName(name, low, "accepted");
      expect<u32>(nameOf(server, true, low, "peer")).toBe(number);
      expect<u32>(nameOf(server, false, low, "own")).toBe(port);
      if (six) expect<u32>(nameOf(client, false, low, "client")).toBe(number);
      expect<i32>(sys_send(client, data, 100, 0)).toBe(100);
      settle();
      expect<i32>(sys_recv(server, data, 200, 0)).toBe(100);
      expect<i32>(sys_send(server, data, 77, 0)).toBe(77);
      settle();
      expect<i32>(sys_recv(client, data, 200, 0)).toBe(77);
      sys_close(client);
      sys_close(server);
      settle();
    }
    sys_close(listening);
  });

  it("hands its socket option on, and has the port alone", () => {
    const listening = bound(STREAM, 0, ++port);
    expect<i32>(sys_listen(listening, 5)).toBe(0);
    const other = sys_socket(AF_INET, STREAM, 0);
    expect<i32>(sys_bind(other, name4(0, port), 16)).toBe(-EADDRINUSE);
    sys_close(other);
    const six = sys_socket(AF_INET6, STREAM, 0);
    expect<i32>(sys_bind(six, name6(ONE, port), 28)).toBe(-EADDRINUSE);
    sys_close(six);
    sys_close(listening);
  });
});

describe("IPV6_V6ONLY", () => {
  it("leaves IPv4 to others, on the same port", () => {
    expect<i32>(option(-1, 1)).toBeLessThan(0);
    const four = sys_socket(AF_INET, STREAM, 0);
    expect<i32>(option(four, 1)).toBe(-ENOPROTOOPT);
    expect<i32>(optionOf(four, IPV6, V6ONLY)).toBe(-ENOPROTOOPT);
    const six = sys_socket(AF_INET6, STREAM, 0);
    expect<i32>(optionOf(six, IPV6, V6ONLY)).toBe(0);
    expect<i32>(option(six, 1)).toBe(0);
    expect<i32>(optionOf(six, IPV6, V6ONLY)).toBe(1);
    expect<i32>(sys_bind(six, name6(MAPPED, ++port), 28)).toBe(-ENETUNREACH);
    expect<i32>(sys_bind(six, name6(0, port), 28)).toBe(0);
    expect<i32>(option(six, 0)).toBe(-EINVAL);
    expect<u32>(nameOf(six, false, 0, "::, as it is written")).toBe(port);
    expect<i32>(sys_bind(four, name4(0, port), 16)).toBe(0);
    expect<i32>(sys_listen(six, 5)).toBe(0);
    expect<i32>(sys_listen(four, 5)).toBe(0);
    for (let version = 0; version < 2; version++) {
      const client = sys_socket(AF_INET6, STREAM, 0);
      sys_connect(client, name6(version == 0 ? MAPPED : ONE, port), 28);
      settle();
      const right = sys_accept(version == 0 ? four : six, 0, 0);
      expect<i32>(right).toBeGreaterThanOrEqual(0);
      expect<i32>(sys_accept(version == 0 ? six : four, 0, 0)).toBe(-EAGAIN);
      if (version != 0) expect<i32>(optionOf(right, IPV6, V6ONLY)).toBe(1);
      sys_close(client);
      sys_close(right);
      settle();
    }
    sys_close(four);
    sys_close(six);
  });

  it("reaches nobody of IPv4", () => {
    const udp = sys_socket(AF_INET6, DATAGRAM, 0);
    expect<i32>(option(udp, 1)).toBe(0);
    expect<i32>(sys_sendto(udp, data, 5, 0, name6(MAPPED, 9), 28)).toBe(-ENETUNREACH);
    expect<i32>(sys_connect(udp, name6(MAPPED, 9), 28)).toBe(-ENETUNREACH);
    expect<i32>(sys_sendto(udp, data, 5, 0, name6(ONE, 9), 28)).toBe(5);
    settle();
    sys_close(udp);
    // Nor does a socket that has an address of the other version.
    const bound6 = bound(DATAGRAM, ONE, ++port);
    expect<i32>(sys_sendto(bound6, data, 5, 0, name6(MAPPED, 9), 28)).toBe(-ENETUNREACH);
    expect<i32>(sys_connect(bound6, name6(MAPPED, 9), 28)).toBe(-ENETUNREACH);
    sys_close(bound6);
    const stream = bound(STREAM, MAPPED, ++port);
    expect<i32>(sys_connect(stream, name6(ONE, 9), 28)).toBe(-ENETUNREACH);
    sys_close(stream);
  });
});

describe("datagrams", () => {
  it("of both versions come to one socket, each with its sender's name", () => {
    const server = bound(DATAGRAM, 0, ++port);
    for (let version = 0; version < 2; version++) {
      const low = version == 0 ? MAPPED : ONE;
      const client = sys_socket(AF_INET6, DATAGRAM, 0);
      expect<i32>(sys_sendto(client, data, 33, 0, name6(low, port), 28)).toBe(33);
      settle();
      memory.fill(name, 0xee, 64);
      store<u32>(length, 64);
      expect<i32>(sys_recvfrom(server, data, 200, 0, name, length)).toBe(33);
      const number = expectName(name, low, "sender");
      // The answer goes to the name that came.
      expect<i32>(sys_sendto(server, data, 44, 0, name, 28)).toBe(44);
      settle();
      expect<i32>(sys_recv(client, data, 200, 0)).toBe(44);
      expect<u32>(nameOf(client, false, 0, "still all addresses")).toBe(number);
      expect<i32>(sys_connect(client, name6(low, port), 28)).toBe(0);
      expect<u32>(nameOf(client, false, low, "connected")).toBe(number);
      expect<i32>(sys_connect(client, name6(0, 0), 28)).toBe(0);
      expect<u32>(nameOf(client, false, 0, "and no more")).toBe(number);
      sys_close(client);
    }
    // :: as a destination is this host.
    expect<i32>(sys_sendto(server, data, 22, 0, name6(0, port), 28)).toBe(22);
    settle();
    store<u32>(length, 64);
    expect<i32>(sys_recvfrom(server, data, 200, 0, name, length)).toBe(22);
    expectName(name, ONE, "ourselves");
    sys_close(server);
  });
});

describe("events", () => {
  it("give a datagram behind a sockaddr_in6 and four bytes, which a handler can keep and free", () => {
    const server = bound(DATAGRAM, 0, ++port);
    onRead(server);
    const client = sys_socket(AF_INET6, DATAGRAM, 0);
    for (let version = 0; version < 2; version++) {
      const low = version == 0 ? ONE : MAPPED;
      for (let i: u32 = 0; i < 50; i++) store<u8>(data + i, <u8>(i + version));
      sys_sendto(client, data, 50, 0, name6(low, port), 28);
      settle();
      expectHandler(EVENT_READ, "datagram");
      expect<u32>(upcallArgument4).toBe(50);
      expect<u32>(upcallArgument3).toBe(upcallArgument5 + 32);
      const from = zone(upcallArgument5);
      expectName(from, low, "from");
      expect<u32>(load<u32>(from, 28)).toBe(0);
      for (let i: u32 = 0; i < 50; i++) assert(load<u8>(from + 32 + i) == <u8>(i + version), "bytes");
      expect<i32>(sys_vmtable_keep(upcallArgument3)).toBe(0);
      expect<i32>(sys_vmtable_free(upcallArgument3)).toBe(0);
      expect<i32>(sys_vmtable_free(upcallArgument3)).toBe(-EINVAL);
    }
    sys_close(server);
    sys_close(client);
  });

  it("of a listener fill in a peer of either version", () => {
    const listening = bound(STREAM, 0, ++port);
    expect<i32>(sys_listen(listening, 5)).toBe(0);
    const peer = user + 256;
    store<u32>(length, 28);
    expect<i32>(sys_sockasync_accept(listening, peer, length, 0, handlerOf(EVENT_ACCEPT))).toBeGreaterThan(0);
    for (let version = 0; version < 2; version++) {
      const low = version == 0 ? MAPPED : ONE;
      const client = sys_socket(AF_INET6, STREAM, 0);
      sys_connect(client, name6(low, port), 28);
      settle();
      store<u32>(length, 28);
      expectHandler(EVENT_ACCEPT, "connection");
      expectName(peer, low, "peer");
      sys_close(<i32>upcallArgument3);
      sys_close(client);
      settle();
    }
    sys_close(listening);
  });
});
