/** What is too long for one packet is sent in fragments; and identifications. */
import { SECOND } from "../../kernel/time/clock";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  bufferPool,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { setAddress } from "../../net/interface";
import { ipv4Output } from "../../net/ipv4-output";
import { MAY_FRAGMENT } from "../../net/service";
import { SOCKET_BROADCAST, SOCKET_DONT_FRAGMENT } from "../../net/socket/socket";
import { IPV4_DF, Ipv4Header } from "../../net/wire/ipv4";
import { UdpHeader } from "../../net/wire/udp";
import { endpoint, pseudoHeaderSum } from "./addresses";
import { address6, PREFIX } from "./frames6";
import * as link from "./link";
import { NETMASK, OWN, PEER } from "./link";
import {
  assemble,
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  forget,
  headers,
  holds,
  make,
  most,
  octet,
  own,
  packets,
  peer,
  pseudo,
  send,
  step,
  version,
  whole,
  WHOLE,
} from "./pieces";

function suite(): void {
  it("datagrams of every size up to the longest", () => {
    const socket = bound(9);
    const sizes: u32[] = [0, 1451, 1452, 1453, 1471, 1472, 1473, 1481, 2952, 8192, 30001, most - 1, most];
    make(5, most);
    for (let i = 0; i < sizes.length; i++) {
      const size = sizes[i];
      forget();
      expect<i32>(send(socket, peer(7), size)).toBe(0);
      expect<i32>(packets.length).toBe(size <= whole ? 1 : (size + 8 + step - 1) / step);
      // The device makes the checksum of what goes in one packet, in this link nobody does.
      expect<u32>(assemble()).toBe(size + 8);
      expect<i32>(memory.compare(WHOLE + 8, DATAGRAM + 8, size)).toBe(0);
      const sum = pseudo(17, size + 8);
      expect<u16>(checksumFold(checksumAdd(WHOLE, size + 8, sum))).toBe(0xffff, size.toString());
    }
    expect<i32>(send(socket, peer(7), most + 1)).toBe(-90);
    close(socket);
  });

  it("to ourselves and back", () => {
    const socket = bound(7);
    const sender = bound(4005);
    make(5, most);
    const sizes: u32[] = [100, 1473, 1600, 5000, most];
    for (let i = 0; i < sizes.length; i++) {
      expect<i32>(send(sender, own(7), sizes[i])).toBe(0);
      link.run(SECOND);
      expect<bool>(holds(socket, 5, sizes[i])).toBe(true, sizes[i].toString());
    }
    close(socket);
    close(sender);
  });

  it("with 0xFFFF for a checksum of 0, which would mean that there is none (RFC 768)", () => {
    const socket = bound(9);
    const sizes: u32[] = [100, 4000];
    const at: u32 = version == 4 ? 20 : 40;
    link.linkDevice().features = 0;
    for (let i = 0; i < sizes.length; i++) {
      make(5, most);
      store<u16>(DATAGRAM + 8, 0);
      forget();
      send(socket, peer(7), sizes[i]);
      // What is added to the sum makes it 0xFFFF, of which the complement is 0.
      const udp = packets[0] + at + (sizes[i] > whole ? headers - at : 0);
      const first = changetype<UdpHeader>(udp).checksum;
      store<u16>(DATAGRAM + 8, first);
      forget();
      send(socket, peer(7), sizes[i]);
      expect<u16>(changetype<UdpHeader>(udp).checksum).toBe(0xffff);
    }
    close(socket);
  });

  it("with a device that refuses, without a route or without buffers: nothing is left behind", () => {
    const socket = bound(9);
    make(5, 30000);
    link.setRefuse(3);
    expect<i32>(send(socket, peer(7), 30000)).toBe(-105);
    expect<i32>(packets.length).toBe(0, "the rest is of no use");
    link.setRefuse(0);
    setAddress(OWN, NETMASK, 0);
    const beyond = version == 4 ? endpoint(0x0808_0808, 7) : address6(PREFIX, 7, 7);
    expect<i32>(send(socket, beyond, 30000)).toBe(-101);
    const taken: PacketBuffer[] = [];
    while (bufferPool().inUse < bufferPool().limit - 5) taken.push(allocateBuffer(0)!);
    expect<i32>(send(socket, peer(7), 30000)).toBe(-105);
    while (taken.length != 0) releaseBuffer(taken.pop());
    expect<i32>(send(socket, peer(7), 30000)).toBe(0);
    close(socket);
  });
}

describe("sending in fragments over IPv4", () => {
  beforeEach(() => boot(4, 700));
  afterEach(expectNothingHeld);

  suite();

  it("not when the socket does not want it", () => {
    const socket = bound(9);
    make(5, 3000);
    send(socket, peer(7), 1000);
    expect<u32>(changetype<Ipv4Header>(packets[0]).fragment).toBe(0, "a router may");
    socket.flags |= SOCKET_DONT_FRAGMENT;
    expect<i32>(send(socket, peer(7), 1472)).toBe(0);
    expect<u32>(changetype<Ipv4Header>(packets[1]).fragment).toBe(IPV4_DF);
    expect<i32>(send(socket, peer(7), 1473)).toBe(-90);
    expect<i32>(packets.length).toBe(2);
    close(socket);
  });

  it("cuts a packet that stands in one buffer, and makes its checksum before", () => {
    const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
    buffer.length = 1700;
    for (let i: u32 = 0; i < 1700; i++) store<u8>(buffer.data + i, octet(1, i));
    const pseudo = pseudoHeaderSum(OWN, PEER, 17, 1700);
    store<u16>(buffer.data + 6, checksumFold(pseudo));
    buffer.flags = CHECKSUM_PARTIAL;
    buffer.checksumStart = buffer.data;
    buffer.checksumOffset = 6;
    expect<i32>(ipv4Output(buffer, 0, PEER, 17, 64 | MAY_FRAGMENT)).toBe(0);
    releaseBuffer(buffer);
    expect<i32>(packets.length).toBe(2);
    expect<u32>(assemble()).toBe(1700);
    expect<u16>(checksumFold(checksumAdd(WHOLE, 1700, pseudo))).toBe(0xffff);
  });

  it("identifications differ, follow no common counter, and are 0 where they mean nothing", () => {
    const socket = bound(9);
    socket.flags |= SOCKET_BROADCAST;
    make(5, 3000);
    const seen = new Set<u32>();
    // To one destination: none twice.
    for (let i = 0; i < 2000; i++) {
      forget();
      send(socket, peer(7), 10);
      seen.add(changetype<Ipv4Header>(packets[0]).identification);
    }
    expect<i32>(seen.size).toBe(2000);
    // What another destination sees says nothing of it: broadcasts stand in for that destination.
    let followed = 0;
    for (let i = 0; i < 200; i++) {
      forget();
      send(socket, endpoint(0xffff_ffff, 7), 10);
      const first = changetype<Ipv4Header>(packets[0]).identification;
      for (let j: u32 = 0; j < 1 + (link.random() & 7); j++) send(socket, peer(7), 10);
      forget();
      send(socket, endpoint(0xffff_ffff, 7), 10);
      if (changetype<Ipv4Header>(packets[0]).identification != ((first + 1) & 0xffff)) followed++;
    }
    expect<i32>(followed).toBe(0);
    socket.flags |= SOCKET_DONT_FRAGMENT;
    forget();
    send(socket, peer(7), 10);
    expect<u32>(changetype<Ipv4Header>(packets[0]).identification).toBe(0);
    close(socket);
  });
});

describe("sending in fragments over IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  suite();
});
