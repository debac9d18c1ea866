/** The DHCP client against a scripted server: the good way, refusals, silence, and hostile messages. */
import { setLogLevel } from "../../kernel/console";
import { SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, bufferPool, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import {
  DHCP_BOUND,
  DHCP_INIT,
  DHCP_REBINDING,
  DHCP_RENEWING,
  DHCP_REQUESTING,
  DHCP_SELECTING,
  dhcpStart,
  dhcpState,
} from "../../net/dhcp";
import { DhcpOptions } from "../../net/dhcp-options";
import { networkInterface, NetworkInterface, setAddress } from "../../net/interface";
import { nameServer4 } from "../../net/name-servers";
import { udpCreate, udpOutput } from "../../net/socket/udp";
import { UdpHeader } from "../../net/wire/udp";
import { growMemory } from "../arena";
import * as frames from "./frames";
import { deliver, FRAME, TRANSPORT } from "./frames";
import * as link from "./link";
import {
  begin,
  finish,
  MESSAGE,
  offer,
  OFFERED,
  OPTIONS,
  put8,
  putOption,
  script,
  SERVER,
  server,
} from "./dhcp-server";
import { endpoint, flowOf } from "./addresses";

let bounds: u32 = 0;
function onBound(): void {
  bounds++;
}

function boot(): void {
  link.bootStack(300, 11);
  setLogLevel(0);
  setAddress(0, 0, 0);
  link.setHook(server.index);
  script.messages = script.bad = script.announcements = bounds = script.sentXid = 0;
  script.times = [];
  script.answers = 2 | 8;
  script.lease = 3600;
  script.t1 = script.t2 = 0;
  script.netmask = 0xffff_ff00;
  script.router = SERVER;
  script.unicast = false;
}

describe("dhcp", () => {
  beforeEach(boot);
  afterEach(() => {
    expect<u32>(script.bad).toBe(0, "malformed messages sent");
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("gets an address", () => {
    script.answers = 0;
    expect<bool>(dhcpStart(onBound.index)).toBe(true);
    expect<u32>(link.doorbells).toBe(1);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    expect<u32>(script.sentType).toBe(1);
    expect<u32>(script.sentSource).toBe(0);
    expect<u32>(script.sentDestination).toBe(0xffff_ffff);
    expect<bool>(script.sentBroadcast).toBe(true);
    offer(2);
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    expect<u32>(script.sentType).toBe(3);
    expect<u32>(script.sentRequested).toBe(OFFERED);
    expect<u32>(script.sentServer).toBe(SERVER);
    expect<u32>(script.sentClient).toBe(0);
    expect<u32>(networkInterface().address).toBe(0);
    offer(5);
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(bounds).toBe(1);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(networkInterface().netmask).toBe(0xffff_ff00);
    expect<u32>(networkInterface().gateway).toBe(SERVER);
    expect<u32>(script.announcements).toBe(1);
  });

  it("takes answers by unicast to the address that is not set yet", () => {
    script.unicast = true;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    // Only to port 68: other packets to addresses that are not ours stay out.
    setAddress(0, 0, 0);
    frames.udp(SERVER, 67, OFFERED, 69, 20);
    deliver();
    expect<u64>(networkCounters().ipNotForUs).toBe(1);
  });

  it("keeps port 68 for itself", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    const socket = udpCreate()!;
    expect<i32>(call_indirect<i32>(socket.protocol.bind, socket, endpoint(0, 68))).toBe(-98);
    call_indirect<void>(socket.protocol.close, socket);
  });

  it("asks again, at growing intervals that vary", () => {
    script.answers = 0;
    dhcpStart(onBound.index);
    link.run(400 * SECOND);
    expect<u32>(script.messages).toBeGreaterThan(8);
    let limit: u64 = 4;
    let wrong = 0;
    for (let i = 1; i < script.times.length; i++) {
      const gap = script.times[i] - script.times[i - 1];
      if (gap < (limit - 1) * SECOND || gap > (limit + 1) * SECOND + 65536) wrong++;
      if (gap % SECOND < 65536) wrong++;
      if (limit < 64) limit *= 2;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(script.sentSeconds).toBeGreaterThan(300);
    script.answers = 2 | 8;
    link.run(130 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("looks for another server when requests are not answered", () => {
    script.answers = 2;
    dhcpStart(onBound.index);
    link.run(10 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    const xid = script.sentXid;
    script.messages = 0;
    link.run(60 * SECOND);
    expect<bool>(script.sentXid != xid).toBe(true);
    script.answers = 2 | 8;
    link.run(80 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("begins again after a refusal, but not at once", () => {
    script.answers = 2 | 8 | 64;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_INIT);
    expect<u32>(script.messages).toBe(2);
    link.run(60 * SECOND);
    expect<u32>(script.messages).toBeLessThan(30);
    expect<u32>(bounds).toBe(0);
    script.answers = 2 | 8;
    link.run(70 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("renews at T1, by unicast, from its address", () => {
    dhcpStart(onBound.index);
    link.run(1799 * SECOND);
    script.messages = 0;
    link.run(2 * SECOND);
    expect<u32>(script.messages).toBe(1);
    expect<u32>(script.sentType).toBe(3);
    expect<u32>(script.sentSource).toBe(OFFERED);
    expect<u32>(script.sentDestination).toBe(SERVER);
    expect<u32>(script.sentClient).toBe(OFFERED);
    expect<u32>(script.sentRequested).toBe(0);
    expect<u32>(script.sentServer).toBe(0);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(bounds).toBe(1, "nothing new");
    link.run(36_000 * SECOND);
    expect<u32>(script.messages).toBe(21);
    expect<u32>(networkInterface().address).toBe(OFFERED);
  });

  it("rebinds at T2, and gives the address up when the lease ends", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    script.answers = 0;
    script.messages = 0;
    link.run(1900 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_RENEWING);
    link.run(1300 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REBINDING);
    expect<u32>(script.sentDestination).toBe(0xffff_ffff);
    expect<u32>(script.sentSource).toBe(OFFERED);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(script.messages).toBeLessThan(16, "a minute apart at least");
    link.run(400 * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    script.answers = 2 | 8;
    link.run(130 * SECOND);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(bounds).toBe(2);
  });

  it("gives the address up when its renewal is refused", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    script.answers = 8 | 64;
    link.run(1800 * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
  });

  it("copes with leases of all lengths", () => {
    const leases: u32[] = [1, 59, 60, 61, 119, 120, 1000, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];
    for (let i = 0; i < leases.length; i++) {
      boot();
      script.lease = leases[i];
      script.t1 = i & 1 ? script.lease : 0;
      script.t2 = i & 1 ? 1 : 0;
      dhcpStart(onBound.index);
      link.run(SECOND);
      expect<u32>(dhcpState()).toBe(DHCP_BOUND);
      script.messages = 0;
      link.run(3600 * SECOND);
      expect<u32>(networkInterface().address).toBe(OFFERED);
      expect<u32>(script.messages).toBeLessThan(3600 / 14);
      if (script.lease == 0xffff_ffff) expect<u32>(script.messages).toBe(0);
    }
  });

  it("does not renew all the time because a server says so", () => {
    script.t1 = 1;
    script.t2 = 2;
    dhcpStart(onBound.index);
    link.run(3000 * SECOND);
    expect<u32>(script.messages).toBe(3);
    boot();
    script.t1 = 1;
    script.t2 = 3599;
    dhcpStart(onBound.index);
    link.run(3000 * SECOND);
    expect<u32>(script.messages).toBe(3);
  });

  it("takes nothing from our own applications", () => {
    script.answers = 0;
    dhcpStart(onBound.index);
    offer(2);
    const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
    buffer.length = frames.frameLength - 42;
    memory.copy(buffer.data, MESSAGE, buffer.length);
    udpOutput(buffer, flowOf(0x7f00_0001, 67, 0x7f00_0001, 68));
    releaseBuffer(buffer);
    link.run(0);
    expect<u64>(networkCounters().dhcpIgnored).toBe(1);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
  });

  it("does without netmask and router, and with a router that is elsewhere", () => {
    script.netmask = script.router = 0;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().netmask).toBe(0xff00_0000);
    expect<u32>(networkInterface().gateway).toBe(0);
    boot();
    script.router = 0x0808_0808;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(networkInterface().gateway).toBe(0);
    boot();
    script.netmask = 0xff00_ff00;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().address).toBe(0);
  });

  it("knows the first two name servers of the lease, as long as it holds", () => {
    script.answers = 2;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    expect<u32>(nameServer4(0)).toBe(0);
    begin(5);
    putOption(54, SERVER);
    putOption(51, script.lease);
    putOption(1, script.netmask);
    put8(6);
    put8(12);
    for (let i: u32 = 1; i <= 3; i++) {
      store<u32>(script.end, bswap<u32>(SERVER + i));
      script.end += 4;
    }
    // Of an option that comes twice the first counts.
    putOption(6, SERVER + 9);
    put8(255);
    finish();
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(nameServer4(0)).toBe(SERVER + 1);
    expect<u32>(nameServer4(1)).toBe(SERVER + 2);
    script.answers = 0;
    link.run(<u64>script.lease * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
    expect<u32>(nameServer4(0)).toBe(0);
    expect<u32>(nameServer4(1)).toBe(0);
  });

  it("ignores what is not for it", () => {
    script.answers = 0;
    dhcpStart(onBound.index);
    const counters = networkCounters();
    offer(5); // an ACK that nobody asked for
    deliver();
    offer(6);
    deliver();
    offer(2);
    changetype<UdpHeader>(TRANSPORT).sourcePort = 1067;
    frames.udpChecksum(SERVER, 0xffff_ffff, changetype<UdpHeader>(TRANSPORT).length);
    deliver();
    script.sentXid++;
    offer(2);
    deliver();
    script.sentXid--;
    begin(2); // no server identifier
    putOption(51, 100);
    put8(255);
    finish();
    deliver();
    begin(2); // another one's link address
    store<u8>(MESSAGE + 30, 0x77);
    putOption(54, SERVER);
    put8(255);
    finish();
    deliver();
    begin(2); // nonsense offered
    store<u32>(MESSAGE + 16, 0xffff_ffff);
    putOption(54, SERVER);
    put8(255);
    finish();
    deliver();
    expect<u64>(counters.dhcpIgnored).toBe(7);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    offer(2);
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    // From another server, or another address than was offered, or without a lease.
    begin(5);
    putOption(54, SERVER + 1);
    putOption(51, 100);
    put8(255);
    finish();
    deliver();
    begin(5);
    store<u32>(MESSAGE + 16, bswap<u32>(OFFERED + 1));
    putOption(54, SERVER);
    putOption(51, 100);
    put8(255);
    finish();
    deliver();
    begin(5);
    putOption(54, SERVER);
    put8(255);
    finish();
    deliver();
    begin(6);
    putOption(54, SERVER + 1);
    put8(255);
    finish();
    deliver();
    expect<u64>(counters.dhcpIgnored).toBe(11);
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    expect<u32>(networkInterface().address).toBe(0);
  });

  it("drops malformed messages", () => {
    script.answers = 0;
    dhcpStart(onBound.index);
    const counters = networkCounters();
    let expected: u64 = 0;
    // Cut off anywhere in the fixed part.
    for (let length: u32 = 0; length < 240; length++) {
      begin(2);
      script.end = MESSAGE + length;
      finish();
      deliver();
      expected++;
    }
    // Wrong op, hardware type, address length, cookie.
    const places: u32[] = [0, 1, 2, 236, 237, 238, 239];
    for (let i = 0; i < places.length; i++) {
      offer(2);
      store<u8>(MESSAGE + places[i], load<u8>(MESSAGE + places[i]) ^ 4);
      frames.udpChecksum(SERVER, 0xffff_ffff, changetype<UdpHeader>(TRANSPORT).length);
      deliver();
      expected++;
    }
    expect<u64>(counters.dhcpMalformed).toBe(expected);
    // Options of a wrong length, without a length, beyond the end; no type.
    const codes: u8[] = [1, 3, 6, 51, 54, 58, 59, 53];
    for (let i = 0; i < codes.length; i++) {
      for (let size: u32 = 0; size < 12; size++) {
        const list = codes[i] == 3 || codes[i] == 6;
        if (codes[i] == 53 ? size == 1 : list ? size != 0 && size % 4 == 0 : size == 4) continue;
        begin(2);
        put8(codes[i]);
        put8(size);
        script.end += size;
        put8(255);
        finish();
        deliver();
        expected++;
      }
    }
    begin(2);
    put8(54);
    finish();
    deliver();
    begin(2);
    put8(12);
    put8(200);
    script.end += 199;
    finish();
    deliver();
    begin(2);
    script.end = OPTIONS;
    putOption(54, SERVER);
    put8(255);
    finish();
    deliver();
    expect<u64>(counters.dhcpMalformed).toBe(expected + 3);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    // A missing end, padding, unknown options and overload are tolerated.
    begin(2);
    put8(0);
    putOption(52, 3);
    put8(200);
    put8(0);
    putOption(54, SERVER);
    finish();
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
  });

  it("says when there is no device", () => {
    store<usize>(changetype<usize>(networkInterface()) + offsetof<NetworkInterface>("device"), 0);
    expect<bool>(dhcpStart(onBound.index)).toBe(false);
    expect<u32>(script.messages).toBe(0);
  });

  it("reads 50,000 random option fields within their bounds", () => {
    const options = changetype<DhcpOptions>(growMemory(offsetof<DhcpOptions>(), 8));
    // The field ends at the end of memory: a byte read beyond it traps.
    const top = (<usize>memory.size()) << 16;
    growMemory(0, 1);
    const area = growMemory(65536, 65536);
    const edge = (<usize>memory.size()) << 16;
    expect<bool>(top <= area && area + 65536 == edge).toBe(true);
    let good = 0;
    const known: u8[] = [0, 1, 3, 51, 53, 54, 58, 6, 255, 52];
    for (let i = 0; i < 50_000; i++) {
      const length = link.random() % 65;
      const start = edge - length;
      for (let p = start; p < edge; p++) {
        store<u8>(p, (link.random() & 3) != 0 ? known[link.random() % 10] : <u8>(link.random() & 7));
      }
      if (options.parse(start, length)) good++;
    }
    expect<i32>(good).toBeGreaterThan(1000);
    expect<i32>(good).toBeLessThan(49_000);
  });

  it("survives 20,000 hostile messages in every state", () => {
    let states: u32 = 0;
    for (let i = 0; i < 20_000; i++) {
      if (i % 2000 == 0) {
        boot();
        script.lease = 60 + (link.random() % 200);
        dhcpStart(onBound.index);
      }
      // Silent at times, so that REQUESTING, RENEWING and REBINDING last.
      script.answers = i & 32 ? 2 | 8 : 2;
      const kinds: u8[] = [2, 5, 6, 5, 2, 0];
      begin(kinds[link.random() % 6]);
      if ((link.random() & 3) != 0) putOption(54, (link.random() & 3) != 0 ? SERVER : link.random());
      if ((link.random() & 1) != 0) putOption(51, link.random() % 400);
      if ((link.random() & 1) != 0) putOption(1, (link.random() & 1) != 0 ? 0xffff_ff00 : link.random());
      if ((link.random() & 1) != 0) putOption(3, link.random());
      if ((link.random() & 1) != 0) putOption(58, link.random());
      if ((link.random() & 1) != 0) putOption(59, link.random());
      if ((link.random() & 7) == 0) store<u32>(MESSAGE + 16, link.random());
      let noise = link.random() % 20;
      while (noise-- != 0) put8(link.random());
      finish();
      link.receiveNow(FRAME, frames.frameLength, 0);
      states |= 1 << dhcpState();
      if ((i & 7) == 0) link.run(<u64>(link.random() % 30) * SECOND);
      states |= 1 << dhcpState();
    }
    expect<u32>(states & 0x7e).toBe(0x7e, "all states were reached");
    setAddress(0, 0, 0);
    link.setHook(0);
    link.run(5 * SECOND);
  });
});
