/** VLAN tags (IEEE 802.1Q): which frames are taken, and what is sent. */
import { bufferPool } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { setVlan } from "../../net/interface";
import { ARP_REPLY, ARP_REQUEST, ArpPacket } from "../../net/wire/arp";
import { ETHERNET_HEADER, EthernetHeader } from "../../net/wire/ethernet";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";
import { boot, LAST, seen, send } from "./recorder";

/** Puts a tag into the scratch frame. */
function tag(type: u32, control: u32): void {
  memory.copy(FRAME + 16, FRAME + 12, frames.frameLength - 12);
  store<u16>(FRAME + 12, bswap<u16>(<u16>type));
  store<u16>(FRAME + 14, bswap<u16>(<u16>control));
  frames.setFrameLength(frames.frameLength + 4);
}

/** Whether a packet with these tags reaches the transport; -1: none. */
function taken(outer: i32, inner: i32 = -1, type: u32 = 0x8100): bool {
  frames.ipv4(PEER, OWN, 6, 30);
  if (inner >= 0) tag(type, inner);
  if (outer >= 0) tag(0x8100, outer);
  const before = seen.delivered;
  deliver();
  return seen.delivered == before + 1 && seen.deliveredLength == 30;
}

describe("frames with tags", () => {
  beforeEach(boot);
  afterEach(() => {
    link.run(10_000_000_000);
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("of VLAN 0 say a priority, and are like those without", () => {
    expect<bool>(taken(-1)).toBe(true);
    expect<bool>(taken(0)).toBe(true);
    expect<bool>(taken(0xe000)).toBe(true, "priority 7");
    expect<bool>(taken(0x1000)).toBe(true, "may be dropped first");
    expect<bool>(taken(1)).toBe(false);
    expect<bool>(taken(4095)).toBe(false);
    expect<u64>(networkCounters().frameOtherVlan).toBe(2);
  });

  it("of our VLAN are taken, and no others", () => {
    expect<bool>(setVlan(100)).toBe(true);
    let count = 0;
    for (let vlan = 0; vlan < 4096; vlan++) if (taken(vlan)) count++;
    expect<i32>(count).toBe(1);
    expect<bool>(taken(100)).toBe(true);
    expect<bool>(taken(0xa064)).toBe(true);
    expect<bool>(taken(-1)).toBe(false, "no tag");
    for (let priority = 0; priority < 16; priority++)
      expect<bool>(taken(priority << 12)).toBe(false, "a priority only: of what is untagged");
    expect<u64>(networkCounters().frameOtherVlan).toBe(4095 + 17);
    expect<bool>(setVlan(0)).toBe(true);
    expect<bool>(taken(-1)).toBe(true);
  });

  it("two of them, or a part of one, are too many, or too few", () => {
    expect<bool>(taken(0, 0)).toBe(false);
    setVlan(7);
    expect<bool>(taken(7, 7)).toBe(false);
    expect<bool>(taken(7, 0)).toBe(false);
    expect<bool>(taken(7, 7, 0x88a8)).toBe(false);
    expect<u64>(networkCounters().frameNestedTag).toBe(4);
    for (let length: u32 = 14; length < 18; length++) {
      frames.ipv4(PEER, OWN, 6, 30);
      tag(0x8100, 7);
      frames.setFrameLength(length);
      deliver();
    }
    expect<u64>(networkCounters().frameTooShort).toBe(4);
  });

  it("are sent in our VLAN, answers in place and requests for link addresses included", () => {
    setVlan(0x123);
    send(PEER, 10, 0);
    const header = changetype<EthernetHeader>(LAST);
    expect<u32>(header.type).toBe(0x8100);
    expect<u16>(load<u16>(LAST + 14)).toBe(0x2301);
    expect<u16>(load<u16>(LAST + 16)).toBe(0x0608);
    expect<u32>(changetype<ArpPacket>(LAST + 18).operation).toBe(ARP_REQUEST);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    tag(0x8100, 0x123);
    deliver();
    expect<u32>(header.type).toBe(0x8100);
    expect<u16>(load<u16>(LAST + 16)).toBe(0x0008);
    expect<u32>(seen.lastLength).toBe(18 + 30);
    // An echo request is answered where it stands.
    frames.ipv4(PEER, OWN, 1, 1480);
    memory.fill(NETWORK + 20, 0, 1480);
    store<u8>(NETWORK + 20, 8);
    store<u16>(NETWORK + 22, 0xfff7);
    tag(0x8100, 0x123);
    deliver();
    expect<u32>(seen.lastLength).toBe(18 + 1500);
    expect<u16>(load<u16>(LAST + 14)).toBe(0x2301);
    expect<u8>(load<u8>(LAST + 18 + 20)).toBe(0);
    expect<u32>(ETHERNET_HEADER).toBe(14);
    expect<bool>(setVlan(4095)).toBe(false);
    expect<bool>(setVlan(-1)).toBe(false);
  });
});
