/** Neighbour discovery, routers and groups for the grammar: ARP, and the messages of ICMPv6 that hosts on a link exchange (RFC 4861, RFC 3810). */
import { checksumAdd, internetChecksum, pseudoHeaderSum } from "../../../net/checksum";
import { Flow, IpAddress } from "../../../net/flow";
import { Ipv6Header, loadAddress, storeAddress } from "../../../net/wire/ipv6";
import { chance } from "../../chance";
import * as frames from "../frames";
import { NETWORK } from "../frames";
import {
  address6,
  GROUP,
  linkOption,
  LINK_LOCAL,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  prefixOption,
  PREFIX,
} from "../frames6";
import { inject, OWN, OWN0, OWN4, PEER0, PEER4 } from "../link";
import { BODY, checksum, packet } from "./packets";
import {
  destination6,
  edge,
  fillRandom,
  PEERS,
  set16,
  set32,
  setFrom,
  setTo,
  source4,
  source6,
} from "./words";

const HOP_LIMIT: u32 = 255;
/** Of queries (RFC 3810, 5). */
const MLD_HOP_LIMIT: u32 = 1;

/** ARP: questions, answers, announcements, and others. */
export function arp(): void {
  frames.arp(
    chance(8) == 0 ? chance(65536) : 1 + chance(2),
    source4(),
    <u16>(PEER4 + (chance(PEERS) << 8)),
    chance(4) == 0 ? source4() : OWN,
  );
  if (chance(8) == 0) store<u8>(NETWORK + chance(8), <u8>chance(256));
}

/** Options of discovery behind `at`: link addresses, MTU, prefixes, name servers, nonces, others. How many bytes. */
function options(at: usize, most: u32): u32 {
  let used: u32 = 0;
  for (let count = chance(most); count != 0; count--) {
    const place = at + used;
    const which = chance(9);
    if (which < 3) {
      linkOption(place, which < 2 ? 1 + chance(2) : 14, <u16>(PEER4 + (chance(PEERS) << 8)));
      used += 8;
    } else if (which < 6) {
      const bits: u32 = chance(6) == 0 ? chance(256) : 64;
      const high =
        chance(4) == 0 ? PREFIX + chance(8) : chance(8) == 0 ? [LINK_LOCAL, GROUP, 0][chance(3)] : PREFIX;
      prefixOption(place, high, bits, chance(6) == 0 ? chance(256) : 0xc0, life(), life());
      used += 32;
    } else if (which == 6) {
      store<u16>(place, 0x0105);
      set32(place + 4, chance(3) == 0 ? edge() : 1280 + chance(221));
      used += 8;
    } else if (which == 7) {
      // RFC 8106: name servers.
      const servers = chance(4);
      store<u16>(place, <u16>(25 | ((1 + 2 * servers) << 8)));
      set32(place + 4, life());
      for (let i: u32 = 0; i < servers; i++) storeAddress(place + 8 + 16 * i, address6(PREFIX, 53 + i));
      used += 8 + 16 * servers;
    } else {
      store<u16>(place, <u16>(chance(256) | (chance(4) << 8)));
      fillRandom(place + 2, 6);
      used += 8;
    }
    if (chance(24) == 0) store<u8>(place, <u8>edge(), 1);
  }
  return used;
}

function life(): u32 {
  return chance(3) == 0 ? [0, 1, 60, 7200, 0x7fff_ffff, 0xffff_ffff][chance(6)] : 1800 + chance(100_000);
}

function target(at: usize): void {
  const which = chance(8);
  if (which < 3) storeAddress(at, address6(LINK_LOCAL, OWN_ID));
  else if (which < 5) storeAddress(at, address6(PREFIX, OWN_ID));
  else storeAddress(at, address6(chance(2) == 0 ? LINK_LOCAL : PREFIX, PEER_ID + chance(PEERS)));
}

/** One message of discovery, or one about groups. */
export function discovery(): void {
  source6();
  destination6();
  memory.fill(BODY, 0, 1200);
  const which = chance(10);
  let type: u32 = 135;
  let length: u32 = 24;
  if (which < 3) {
    // Somebody asks; without a name: whether the address is free.
    if (chance(6) == 0) setFrom(0, 0);
    if (chance(2) == 0) setTo(GROUP, OWN_GROUP_LOW);
    target(BODY + 8);
  } else if (which < 6) {
    type = 136;
    target(BODY + 8);
    store<u8>(BODY + 4, <u8>(chance(8) << 5));
  } else if (which < 9) {
    type = 134;
    length = 16;
    setFrom(LINK_LOCAL, PEER_ID + chance(PEERS));
    setTo(GROUP, 1);
    store<u8>(BODY + 4, <u8>[0, 64, 255][chance(3)]);
    set16(BODY + 6, chance(4) == 0 ? edge() : 1800);
  } else {
    // A query of either version (RFC 2710; RFC 3810), or what hosts tell routers.
    type = [130, 130, 130, 131, 132, 143, 133, 137][chance(8)];
    length = type == 130 && chance(2) == 0 ? 28 : type == 133 ? 8 : 24;
    setFrom(LINK_LOCAL, PEER_ID);
    setTo(GROUP, 1);
    set16(BODY + 4, chance(3) == 0 ? edge() : chance(3000));
  }
  if (type != 130) length += options(BODY + length, 5);
  store<u8>(BODY, <u8>type);
  if (chance(16) == 0) length = chance(length + 40);
  checksum(2, 58, length);
  packet(58, length, chance(24) == 0 ? chance(256) : type == 130 ? MLD_HOP_LIMIT : HOP_LIMIT);
}

const reply = new StaticArray<u8>(96);
const flow = new StaticArray<u64>(6);

/** The stack asks for the address at `target`, from `asker`: most neighbours answer, when the wire has brought it. */
export function answerSolicitation(target: usize, asker: IpAddress): void {
  // Nobody has the addresses that it wants for itself; or once in a while somebody does.
  if (asker.isAny ? chance(64) != 0 : chance(16) == 0) return;
  const frame = changetype<usize>(reply);
  memory.fill(frame, 0, 86);
  store<u32>(frame, OWN0);
  store<u16>(frame, OWN4, 4);
  store<u32>(frame, PEER0, 6);
  store<u16>(frame, PEER4, 10);
  store<u16>(frame, 0xdd86, 12);
  const header = changetype<Ipv6Header>(frame + 14);
  header.setFirstWord(0);
  header.payloadLength = 32;
  header.nextHeader = 58;
  header.hopLimit = HOP_LIMIT;
  const it = changetype<Flow>(changetype<usize>(flow));
  loadAddress(it.remote, target);
  if (asker.isAny) {
    store<u16>(frame, 0x3333);
    store<u32>(frame, 0x0100_0000, 2);
    it.local.high = GROUP;
    it.local.low = 1;
  } else it.local.copyAddress(asker);
  header.storeSource(it.remote);
  header.storeDestination(it.local);
  const message = frame + 54;
  store<u8>(message, 136);
  store<u8>(message, asker.isAny ? 0x20 : 0x60, 4);
  storeAddress(message + 8, it.remote);
  linkOption(message + 24, 2, PEER4);
  store<u16>(message, internetChecksum(checksumAdd(message, 32, pseudoHeaderSum(it, 58, 32))), 2);
  inject(frame, 86);
}
