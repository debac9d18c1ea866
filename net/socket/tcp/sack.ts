/**
 * Selective acknowledgement, the receiver's part (RFC 2018, 3 and 4; duplicates: RFC 2883).
 *
 * A connection remembers the last four blocks that have grown, in that order, most recent first: the segment that causes an acknowledgement is in the
 * first block, and each block is said in three acknowledgements or more, should some of them be lost. Only what stands in the reassembly
 * queue is in a block, and what is in the queue stays there until it is in order.
 */
import { PacketBuffer } from "../../buffer";
import { BLOCKS_DUE, DUPLICATE_DUE, HAS_SACK, HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { OPTIONS_LIMIT, SACK_BLOCKS, TIMESTAMPS_LENGTH } from "./options";
import { after, earlier, from, later, upTo } from "./sequence";
import { statistics } from "./statistics";

// @ts-ignore: decorator
@inline
function setBlock(address: usize, start: u32, end: u32): void {
  store<u32>(address, start);
  store<u32>(address, end, 4);
}

/** [start, end) was put into the reassembly queue, or came once more: what it touches is one block with it, and the first. */
export function blockReceived(c: TcpConnection, start: u32, end: u32): void {
  if (!c.has(HAS_SACK)) return;
  const first = c.blocks;
  let kept = first;
  for (let i: u32 = 0; i < <u32>c.blockCount; i++) {
    const block = first + ((<usize>i) << 3);
    const otherStart = load<u32>(block);
    const otherEnd = load<u32>(block, 4);
    if (upTo(otherStart, end) && from(otherEnd, start)) {
      start = earlier(start, otherStart);
      end = later(end, otherEnd);
    } else {
      setBlock(kept, otherStart, otherEnd);
      kept += 8;
    }
  }
  // The fifth is said no more.
  const others = min<usize>(kept - first, (SACK_BLOCKS - 1) << 3);
  memory.copy(first + 8, first, others);
  setBlock(first, start, end);
  c.blockCount = <u8>(others >> 3) + 1;
  c.status |= BLOCKS_DUE;
}

/** RCV.NXT has moved: blocks that it has reached are acknowledged by it, or were dropped. */
export function blocksAdvance(c: TcpConnection): void {
  const first = c.blocks;
  let kept = first;
  for (let i: u32 = 0; i < <u32>c.blockCount; i++) {
    const block = first + ((<usize>i) << 3);
    if (upTo(load<u32>(block), c.RCV_NXT)) continue;
    store<u64>(kept, load<u64>(block));
    kept += 8;
  }
  c.blockCount = <u8>((kept - first) >> 3);
  if (c.blockCount == 0) c.status &= ~BLOCKS_DUE;
}

/** [start, end) has come that had come before. */
export function duplicateReceived(c: TcpConnection, start: u32, end: u32): void {
  if (!c.has(HAS_SACK) || !after(end, start)) return;
  c.status |= DUPLICATE_DUE;
  c.duplicateStart = start;
  c.duplicateEnd = end;
}

/**
 * Pushes the option with the duplicate and the blocks in front of the payload of `buffer`: as many as there is room for beside it and the
 * timestamps; its first `options` bytes are other options. Returns its bytes, 0 when there is no room for a block.
 */
export function pushBlocks(c: TcpConnection, buffer: PacketBuffer, options: u32): u32 {
  const payload = buffer.length - options;
  let room = OPTIONS_LIMIT - options - (c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0);
  // The payload of a full segment and the timestamps fill what the peer takes.
  if (payload != 0) room = payload >= c.sendMss ? 0 : min(room, c.sendMss - payload);
  const duplicate = <u32>c.has(DUPLICATE_DUE);
  if (room < 12) return 0;
  const count = min((room - 4) >> 3, <u32>c.blockCount + duplicate);
  if (count == 0) return 0;
  const length = 4 + (count << 3);
  let option = buffer.push(length);
  // NOP NOP SACK length
  store<u32>(option, 0x00050101 | ((length - 2) << 24));
  option += 4;
  if (duplicate != 0) {
    c.status &= ~DUPLICATE_DUE;
    statistics.duplicatesReported++;
    setBlock(option, bswap(c.duplicateStart), bswap(c.duplicateEnd));
    option += 8;
  }
  const blocks = count - duplicate;
  for (let i: u32 = 0; i < blocks; i++) {
    const block = c.blocks + ((<usize>i) << 3);
    setBlock(option, bswap(load<u32>(block)), bswap(load<u32>(block, 4)));
    option += 8;
  }
  return length;
}
