/**
 * Selective acknowledgement, the receiver's part (RFC 2018, 3 and 4; duplicates: RFC 2883).
 *
 * A connection remembers the last four blocks that have grown, in that order, most recent first: the segment that causes an acknowledgement is in the
 * first block, and each block is said in three acknowledgements or more, should some of them be lost. Only what stands in the reassembly
 * queue is in a block, and what is in the queue stays there until it is in order.
 *
 * Few connections have something to say at a time, so what that is stands in an object of its own. Where there is no memory for one nothing is said, as to a peer without
 * the option: an acknowledgement without blocks is as true.
 */
import { Pool } from "../../../kernel/memory/pool";
import { PacketBuffer } from "../../buffer";
import { BLOCKS_DUE, DUPLICATE_DUE, HAS_SACK, HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { OPTIONS_LIMIT, SACK_BLOCKS, TIMESTAMPS_LENGTH } from "./options";
import { after, earlier, from, later, upTo } from "./sequence";
import { statistics } from "./statistics";


@unmanaged
export class SackBlocks {
  /** Blocks, at most SACK_BLOCKS, the one that grew last first; each is [start, end). */
  count: u32;
  private block0: u32;
  private end0: u32;
  private block1: u32;
  private end1: u32;
  private block2: u32;
  private end2: u32;
  private block3: u32;
  private end3: u32;
  /** With DUPLICATE_DUE: what came twice. */
  duplicateStart: u32;
  duplicateEnd: u32;

  /** Address of a block: start, then end, 4 bytes each. */
  @inline at(index: u32): usize {
    return changetype<usize>(this) + offsetof<SackBlocks>("block0") + ((<usize>index) << 3);
  }


  @inline set(index: u32, start: u32, end: u32): void {
    setBlock(this.at(index), start, end);
  }
}

let pool: Pool = changetype<Pool>(0);

/** Once at boot. `limit`: one for each connection. */
export function initializeSack(storage: Pool, limit: u32): void {
  pool = storage;
  pool.initialize(offsetof<SackBlocks>(), limit);
}

export function sackPool(): Pool {
  return pool;
}

/** Where connection `c` remembers what it has to say; null: it cannot. */
function blocksOf(c: TcpConnection): SackBlocks | null {
  if (c.sack === null) c.sack = changetype<SackBlocks | null>(pool.allocate());
  return c.sack;
}

/** So many blocks are there that one more drives one out of what an acknowledgement with timestamps says. */
export function blocksFull(c: TcpConnection): bool {
  const sack = c.sack;
  return sack !== null && sack.count >= SACK_BLOCKS - 1;
}

/** There is nothing more to say, whatever there was. */
export function clearBlocks(c: TcpConnection): void {
  const sack = c.sack;
  if (sack === null) return;
  c.sack = null;
  c.status &= ~(BLOCKS_DUE | DUPLICATE_DUE);
  pool.release(changetype<usize>(sack));
}

// @ts-ignore: decorator
@inline
function setBlock(address: usize, start: u32, end: u32): void {
  store<u32>(address, start);
  store<u32>(address, end, 4);
}

/** [start, end) was put into the reassembly queue, or came once more: what it touches is one block with it, and the first. */
export function blockReceived(c: TcpConnection, start: u32, end: u32): void {
  if (!c.has(HAS_SACK)) return;
  const sack = blocksOf(c);
  if (sack === null) return;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < sack.count; i++) {
    const otherStart = load<u32>(sack.at(i));
    const otherEnd = load<u32>(sack.at(i), 4);
    if (upTo(otherStart, end) && from(otherEnd, start)) {
      start = earlier(start, otherStart);
      end = later(end, otherEnd);
    } else sack.set(kept++, otherStart, otherEnd);
  }
  // The fifth is said no more.
  kept = min(kept, SACK_BLOCKS - 1);
  memory.copy(sack.at(1), sack.at(0), kept << 3);
  sack.set(0, start, end);
  sack.count = kept + 1;
  c.status |= BLOCKS_DUE;
}

/** RCV.NXT has moved: blocks that it has reached are acknowledged by it, or had to be dropped for want of buffers (takeInOrder). */
export function blocksAdvance(c: TcpConnection): void {
  const sack = c.sack;
  if (sack === null) return;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < sack.count; i++) {
    if (upTo(load<u32>(sack.at(i)), c.RCV_NXT)) continue;
    store<u64>(sack.at(kept++), load<u64>(sack.at(i)));
  }
  sack.count = kept;
  if (kept != 0) return;
  c.status &= ~BLOCKS_DUE;
  if (!c.has(DUPLICATE_DUE)) clearBlocks(c);
}

/** [start, end) has come that had come before. */
export function duplicateReceived(c: TcpConnection, start: u32, end: u32): void {
  if (!c.has(HAS_SACK) || !after(end, start)) return;
  const sack = blocksOf(c);
  if (sack === null) return;
  c.status |= DUPLICATE_DUE;
  sack.duplicateStart = start;
  sack.duplicateEnd = end;
}

/**
 * Pushes the option with the duplicate and the blocks in front of the payload of `buffer`: as many as there is room for beside it and the
 * timestamps; its first `options` bytes are other options. Returns its bytes, 0 when there is no room for a block.
 */
export function pushBlocks(c: TcpConnection, buffer: PacketBuffer, options: u32): u32 {
  const sack = c.sack;
  if (sack === null) return 0;
  const payload = buffer.length - options;
  let room = OPTIONS_LIMIT - options - (c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0);
  // The payload of a full segment and the timestamps fill what the peer takes.
  if (payload != 0) room = payload >= c.sendMss ? 0 : min(room, c.sendMss - payload);
  const duplicate = <u32>c.has(DUPLICATE_DUE);
  if (room < 12) return 0;
  const count = min((room - 4) >> 3, sack.count + duplicate);
  if (count == 0) return 0;
  const length = 4 + (count << 3);
  let option = buffer.push(length);
  // NOP NOP SACK length
  store<u32>(option, 0x00050101 | ((length - 2) << 24));
  option += 4;
  if (duplicate != 0) {
    c.status &= ~DUPLICATE_DUE;
    statistics.duplicatesReported++;
    setBlock(option, bswap(sack.duplicateStart), bswap(sack.duplicateEnd));
    option += 8;
  }
  const blocks = count - duplicate;
  for (let i: u32 = 0; i < blocks; i++) {
    setBlock(option, bswap(load<u32>(sack.at(i))), bswap(load<u32>(sack.at(i), 4)));
    option += 8;
  }
  if (sack.count == 0) clearBlocks(c);
  return length;
}
