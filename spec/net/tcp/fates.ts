/** What happens to each of the packets on the way to MIRROR and back, by its number: for specs that want to leave out one accident at a time. */
import { checksumAdd, internetChecksum } from "../../../net/checksum";
import { pseudoHeaderSum } from "../addresses";

export const FATE_NONE: u8 = 0;
export const FATE_LOSE: u8 = 1;
export const FATE_DUPLICATE: u8 = 2;
/** A router marks it (RFC 3168), if it says that it is ECN-capable. */
export const FATE_MARK: u8 = 3;
/** FATE_DELAY + n: it arrives n + 1 ms later than it would. */
export const FATE_DELAY: u8 = 4;

let fates: u8[] = [];
let next: i32 = 0;
let stripsSack: bool = false;
let stripsStamps: bool = false;

/** The packets from now on have these fates, one after the other. */
export function scheduleFates(list: u8[]): void {
  fates = list;
  next = 0;
}

/** SYNs lose their SACK-permitted option on the way: both ends do without. */
export function stripSack(on: bool): void {
  stripsSack = on;
}

/** The same for timestamps. */
export function stripStamps(on: bool): void {
  stripsStamps = on;
}

/** The fate of the next packet; FATE_MARK has been done already. */
export function fateOf(packet: Uint8Array): u8 {
  if (stripsSack || stripsStamps) removeOptions(packet);
  const fate = next < fates.length ? fates[next] : FATE_NONE;
  next++;
  if (fate == FATE_MARK) mark(packet);
  return fate;
}

/** How much later it arrives, ns. */
export function delayOf(fate: u8): u64 {
  return fate < FATE_DELAY ? 0 : (<u64>(fate - FATE_DELAY) + 1) * 1_000_000;
}

function mark(packet: Uint8Array): void {
  const ip = packet.dataStart;
  if ((load<u8>(ip, 1) & 3) == 0) return;
  store<u8>(ip, load<u8>(ip, 1) | 3, 1);
  store<u16>(ip, 0, 10);
  store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
}

function removeOptions(packet: Uint8Array): void {
  const tcp = packet.dataStart + 20;
  if ((load<u8>(tcp, 13) & 2) == 0) return;
  const header = ((<u32>load<u8>(tcp, 12)) >> 4) * 4;
  for (let at: u32 = 20; at < header; at += 4) {
    const word = load<u32>(tcp + at);
    // NOP NOP SACK-permitted; NOP NOP timestamps
    if (stripsSack && word == 0x02040101) store<u32>(tcp + at, 0x01010101);
    else if (stripsStamps && word == 0x0a080101) memory.fill(tcp + at, 1, 12);
    else continue;
    const length = <u32>packet.length - 20;
    const source = bswap<u32>(load<u32>(packet.dataStart, 12));
    const destination = bswap<u32>(load<u32>(packet.dataStart, 16));
    store<u16>(tcp, 0, 16);
    store<u16>(
      tcp,
      internetChecksum(checksumAdd(tcp, length, pseudoHeaderSum(source, destination, 6, length))),
      16,
    );
  }
}
