/** What all parts of the grammar have in common: numbers that break things, bytes, options, and who speaks to whom. Everything is chosen by `chance` (spec/chance.ts). */
import { mapped } from "../../../net/flow";
import { chance } from "../../chance";
import { GROUP, LINK_LOCAL, OWN_GROUP_LOW, OWN_ID, PEER_ID, PREFIX } from "../frames6";
import { GATEWAY, OWN, PEER } from "../link";

/** Numbers that break things. */
const EDGES: u32[] = [0, 1, 2, 7, 8, 19, 20, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffe, 0xffff];
/** A prefix that is not on the link. */
const FAR: u64 = 0x2001_0db8_ffff_0000;

/** Ports that the application listens on and binds (application.ts); the DHCP client's. */
const PORTS: u32[] = [7, 9, 68, 80, 4000];

/** How many hosts there are on the link beside the stack, and link addresses (PEER4 and those behind it). */
export const PEERS: u32 = 4;

export function edge(): u32 {
  return EDGES[chance(EDGES.length)];
}

export function set16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

export function set32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

export function fillRandom(at: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(at + i, <u8>chance(256));
}

/** A port of the sockets that the application has, or any. */
export function port(): u32 {
  return chance(8) == 0 ? chance(65536) : PORTS[chance(PORTS.length)];
}

/**
 * Options as TCP and the headers of IP have them: kind, length, bytes; of `kinds`, most with right lengths. Those below `bare` are one byte. Up to `most` bytes
 * at `at`; how many, a multiple of 4.
 */
export function options(at: usize, most: u32, kinds: u32[], lengths: u32[], bare: u32): u32 {
  let used: u32 = 0;
  const room = chance(most / 4 + 1) * 4;
  while (used < room) {
    const which = chance(kinds.length);
    const kind = kinds[which];
    store<u8>(at + used++, <u8>kind);
    if (kind < bare || used >= room) continue;
    const length = chance(10) == 0 ? edge() & 0xff : lengths[which];
    store<u8>(at + used++, <u8>length);
    for (let i: u32 = 2; i < length && used < room; i++) store<u8>(at + used++, <u8>chance(256));
  }
  return room;
}

// ---- Who ----

/** The ends of what is said next, as net/flow.ts writes addresses. */
export let fromHigh: u64 = 0;
export let fromLow: u64 = 0;
export let toHigh: u64 = 0;
export let toLow: u64 = 0;

export function setFrom(high: u64, low: u64): void {
  fromHigh = high;
  fromLow = low;
}

export function setTo(high: u64, low: u64): void {
  toHigh = high;
  toLow = low;
}

/** What is said next is IPv4's. */
export function isVersion4(): bool {
  return fromHigh == 0 && fromLow >> 32 == 0xffff;
}

/** Someone on the link, a stranger, or an address that nobody has; and we, all of us, or somebody else. Of either version. */
export function chooseEnds(): void {
  if (chance(2) == 0) {
    setFrom(0, mapped(source4()));
    setTo(0, mapped(destination4()));
  } else {
    source6();
    destination6();
  }
}

export function source4(): u32 {
  const which = chance(12);
  if (which < 8) return PEER + chance(PEERS);
  if (which < 10) return 0xac10_0000 | chance(256);
  return which == 10 ? GATEWAY : [0, OWN, 0x7f00_0001, 0xe000_0001, 0xffff_ffff][chance(5)];
}

export function destination4(): u32 {
  return chance(16) != 0 ? OWN : [0xffff_ffff, 0x0a00_00ff, 0xe000_0001, PEER, 0][chance(5)];
}

export function source6(): void {
  const which = chance(16);
  if (which < 6) setFrom(LINK_LOCAL, PEER_ID + chance(PEERS));
  else if (which < 11) setFrom(PREFIX, PEER_ID + chance(PEERS));
  else if (which < 14) setFrom(FAR, chance(256));
  else if (which == 14) setFrom(0, chance(3));
  else setFrom([GROUP, LINK_LOCAL, PREFIX][chance(3)], OWN_ID);
}

export function destination6(): void {
  const which = chance(16);
  if (which < 9 && fromHigh == PREFIX) setTo(PREFIX, OWN_ID);
  else if (which < 12) setTo(LINK_LOCAL, OWN_ID);
  else if (which < 14) setTo(GROUP, chance(2) == 0 ? OWN_GROUP_LOW : 1);
  else if (which == 14) setTo(PREFIX, OWN_ID);
  else setTo([GROUP, LINK_LOCAL, PREFIX, 0, FAR][chance(5)], [2, 1, PEER_ID, 0x16][chance(4)]);
}
