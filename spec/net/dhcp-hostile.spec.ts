/** DHCP: what is not for us, malformed or hostile. */
import { SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { dhcpStart, dhcpState } from "../../net/dhcp";
import { DHCP_REQUESTING, DHCP_SELECTING } from "../../net/dhcp-client";
import { DhcpOptions } from "../../net/dhcp-options";
import { networkInterface, setAddress } from "../../net/interface";
import { udpOutput } from "../../net/socket/udp";
import { UdpHeader } from "../../net/wire/udp";
import { growMemory } from "../arena";
import { boot, expectSound, onBound } from "./dhcp-client";
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
} from "./dhcp-server";
import { flowOf } from "./addresses";

describe("dhcp", () => {
  beforeEach(boot);
  afterEach(expectSound);

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
