/**
 * Frames for the fuzzer: right ones of every kind, by a grammar that knows the sockets and connections of the stack under test, and then, of some, a part that lies. TCP is in
 * segments.ts, discovery in neighbours.ts, what stands around them in packets.ts.
 */
import { mapped } from "../../../net/flow";
import { chance } from "../../chance";
import * as frames from "../frames";
import { FRAME } from "../frames";
import { storeAddress } from "../../../net/wire/ipv6";
import { address6, linkOption, LINK_LOCAL, OWN_ID } from "../frames6";
import { OWN, OWN0, OWN4, PEER, PEER4 } from "../link";
import { sendsDatagram } from "./application";
import { arp, discovery } from "./neighbours";
import { BODY, checksum, hand, inFragments, lie, packet } from "./packets";
import { segment } from "./segments";
import { dhcpRequested, dhcpTransaction, lastSent, lastSentLength, lastSentVersion } from "./sent";
import { chooseEnds, edge, fillRandom, isVersion4, port, set16, set32, setFrom, setTo } from "./words";

/** Makes one frame and hands it in. */
export function makeFrame(): void {
  const which = chance(24);
  if (which < 12) segment();
  else if (which < 15) datagram();
  else if (which < 17) icmp();
  else if (which < 18) dhcp();
  else if (which < 19) arp();
  else if (which < 21) discovery();
  else if (which < 22) {
    // Of any protocol.
    chooseEnds();
    fillRandom(BODY, 64);
    packet(chance(256), chance(200));
  } else if (which < 23) noise();
  else if (chance(4) != 0) segment();
  else return fragments(false);
  if (chance(6) == 0) lie();
  hand();
}

function noise(): void {
  const length = chance(200);
  fillRandom(FRAME, length);
  if (chance(2) == 0) frames.ethernet([0x0800, 0x0806, 0x8100, 0x88a8, 0x86dd][chance(5)]);
  frames.setFrameLength(length);
}

/** More than any table holds. */
export function flood(): void {
  const which = chance(4);
  if (which == 0) synFlood();
  else if (which == 1) crowd();
  else if (which == 2) {
    // Datagrams of which the end is missing.
    for (let count = 200; count != 0; count--) fragments(true);
  } else {
    for (let count = 800; count != 0; count--) {
      datagram();
      hand();
    }
  }
}

/** Many hosts on the link ask for us. */
function crowd(): void {
  for (let count = 100 + chance(400); count != 0; count--) {
    setFrom(LINK_LOCAL, 0x1000 + chance(0x10000));
    setTo(LINK_LOCAL, OWN_ID);
    memory.fill(BODY, 0, 24);
    store<u8>(BODY, 135);
    storeAddress(BODY + 8, address6(LINK_LOCAL, OWN_ID));
    linkOption(BODY + 24, 1, PEER4);
    checksum(2, 58, 32);
    packet(58, 32, 255);
    hand();
  }
}

/** SYNs from many ports: more than a listener remembers. */
function synFlood(): void {
  for (let count = 100 + chance(300); count != 0; count--) {
    setFrom(0, mapped(PEER + chance(4)));
    setTo(0, mapped(OWN));
    set16(BODY, 1024 + chance(60_000));
    set16(BODY + 2, 80);
    set32(BODY + 4, chance(0xffff_ffff));
    set32(BODY + 8, 0);
    // With timestamps more is agreed on than a cookie holds.
    const stamps = chance(2) == 0;
    store<u32>(BODY + 12, stamps ? 0x0020_0280 : 0x0020_0250);
    store<u32>(BODY + 16, 0);
    set32(BODY + 20, 0x0402_080a);
    set32(BODY + 24, chance(0xffff_ffff));
    set32(BODY + 28, 0);
    checksum(16, 6, stamps ? 32 : 20);
    packet(6, stamps ? 32 : 20);
    hand();
  }
}

function datagram(): void {
  chooseEnds();
  const payload = chance(4) == 0 ? chance(1400) : chance(40);
  set16(BODY, port());
  set16(BODY + 2, port());
  set16(BODY + 4, chance(24) == 0 ? edge() : 8 + payload);
  fillRandom(BODY + 8, min<u32>(payload, 32));
  checksum(6, 17, 8 + payload);
  if (chance(16) == 0) store<u16>(BODY + 6, 0);
  packet(17, 8 + payload);
}

/** Echo, errors about what the stack has sent last, and others, of both versions. */
function icmp(): void {
  chooseEnds();
  // Who opens and sends a datagram hears of errors.
  if (chance(16) == 0) sendsDatagram();
  const about = lastSentLength() != 0 && chance(4) != 0;
  if (about && (lastSentVersion() == 4) != isVersion4()) chooseEnds();
  let length: u32 = 8 + chance(100);
  fillRandom(BODY, min<u32>(length, 40));
  const four = isVersion4();
  const type = four
    ? [8, 3, 3, 3, 11, 12, 5, 4, chance(256)][chance(9)]
    : [128, 1, 2, 2, 3, 4, 129, chance(256)][chance(8)];
  store<u8>(BODY, <u8>type);
  store<u8>(BODY + 1, <u8>(chance(4) == 0 ? chance(256) : type == 3 || type == 1 ? chance(6) : 0));
  if (type == 3 || type == 2) set32(BODY + 4, chance(3) == 0 ? edge() : 500 + chance(1000));
  if (about && type != 8 && type != 128) {
    length = 8 + min<u32>(lastSentLength(), chance(8) == 0 ? chance(60) : 48 + chance(500));
    memory.copy(BODY + 8, lastSent(), length - 8);
    if (chance(8) == 0) store<u8>(BODY + 8 + chance(60), <u8>chance(256));
  }
  const protocol: u32 = four ? 1 : 58;
  checksum(2, protocol, length);
  packet(protocol, length);
}

/** What a DHCP server says: an answer to what the client has asked, or nearly, or anything. */
function dhcp(): void {
  const at = BODY + 8;
  memory.fill(at, 0, 400);
  store<u32>(at, 0x0006_0102);
  store<u32>(at, chance(8) == 0 ? chance(0xffff_ffff) : dhcpTransaction, 4);
  // A lease of an address on the net of the link.
  set32(at + 16, chance(2) == 0 ? OWN : (OWN & 0xffff_ff00) | (64 + chance(64)));
  store<u32>(at, OWN0, 28);
  store<u16>(at, OWN4, 32);
  set32(at + 236, chance(16) == 0 ? 0 : 0x63825363);
  let length: u32 = 240;
  if (chance(3) != 0) {
    const type: u32 = chance(8) == 0 ? 1 + chance(8) : !dhcpRequested ? 2 : chance(6) == 0 ? 6 : 5;
    length = option(at, length, 53, 1, type);
    length = option(at, length, 54, 4, PEER);
    // Without it the mask is that of the address's class.
    if (chance(24) != 0) length = option(at, length, 1, 4, 0xffff_ff00);
    length = option(at, length, 3, 4, OWN | 0xfe);
    length = option(at, length, 51, 4, chance(4) == 0 ? edge() : 100 + chance(1000));
    if (chance(2) == 0) {
      length = option(at, length, 6, 4, PEER + 1);
      if (chance(2) == 0) {
        store<u8>(at + length - 5, 8);
        set32(at + length, PEER + 2);
        length += 4;
      }
    }
    if (chance(3) == 0) length = option(at, length, 58, 4, chance(800));
    if (chance(3) == 0) length = option(at, length, 59, 4, chance(1000));
    store<u8>(at + length++, 255);
  } else {
    for (let count = chance(8); count != 0; count--) {
      store<u8>(at + length++, <u8>[53, 54, 51, 1, 3, 52, 58, 59, 12, 0, 255, 61][chance(12)]);
      const bytes = chance(8) == 0 ? edge() & 0xff : [1, 4][chance(2)];
      store<u8>(at + length++, <u8>bytes);
      for (let i: u32 = 0; i < bytes && length < 1000; i++)
        store<u8>(at + length++, <u8>(bytes == 1 ? 1 + chance(7) : chance(256)));
    }
  }
  setFrom(0, mapped(PEER));
  setTo(0, mapped(chance(2) == 0 ? OWN : 0xffff_ffff));
  set16(BODY, 67);
  set16(BODY + 2, 68);
  set16(BODY + 4, 8 + length);
  checksum(6, 17, 8 + length);
  packet(17, 8 + length);
}

/** An option of `size` bytes, 1 or 4, at `length`; where the next one goes. */
function option(at: usize, length: u32, code: u32, size: u32, value: u32): u32 {
  store<u8>(at + length, <u8>code);
  store<u8>(at + length, <u8>size, 1);
  if (size == 1) store<u8>(at + length, <u8>value, 2);
  else set32(at + length + 2, value);
  return length + 2 + size;
}

/** A datagram, or what could be one, in fragments; `cut`: without its end. */
function fragments(cut: bool): void {
  chooseEnds();
  const length: u32 = cut ? 16 + 8 * chance(10) : chance(16) == 0 ? 8 + chance(65508) : 8 + chance(8000);
  const protocol: u32 = [17, 17, 17, 1, 58, 6, 4][chance(7)];
  memory.fill(BODY, 0, length);
  set16(BODY, port());
  set16(BODY + 2, port());
  if (protocol == 17) {
    set16(BODY + 4, length);
    checksum(6, 17, length);
  } else if (protocol == 1 || protocol == 58) {
    set16(BODY, protocol == 1 ? 0x0800 : 0x8000);
    checksum(2, protocol, length);
  }
  inFragments(protocol, length, cut);
}
