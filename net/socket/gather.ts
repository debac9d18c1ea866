/**
 * What an application sends, as pieces of its memory that need not stand together: one (send), or a vector of up to IOV_MAX (sendmsg; POSIX: struct iovec,
 * two words of 32 bits, address and length). `gather` takes the next bytes, wherever they are; so a transport copies them to their place in a packet once.
 *
 *     vector   ├ address, length ┼ address, length ┼ … ┤
 *                    │                  ▲ next, `count` of them are left
 *                    ▼
 *     memory   ├ taken ┼ left ┤
 *                      ▲ at
 *
 * All is checked before the first byte is taken. But another thread of the process may write to the vector while a call waits, so what is read of it later is checked
 * again with each copy, and the caller stops at the total that it was told.
 */
import { EFAULT, EINVAL, EMSGSIZE, EOPNOTSUPP } from "../../kernel/errno";
import { readUser, userRange } from "../../kernel/memory/user";

/** Pieces in one call (Linux: 1024). Each may cost a copy of its own, with interrupts off. */
export const IOV_MAX: u32 = 64;
const IOVEC: u32 = 8;

/** The present piece: its next byte, and how many it still has. */
export let gatherAt: usize = 0;
export let gatherLeft: u32 = 0;
/** The pieces behind it: where the application has the next one's address and length, and how many there are. */
export let gatherNext: usize = 0;
export let gatherCount: u32 = 0;

/** Of the last gatherMessage: the destination of a datagram, or 0, and its length. */
export let messageName: usize = 0;
export let messageNameLength: u32 = 0;


@unmanaged
class MessageHeader {
  name: usize;
  nameLength: u32;
  vector: usize;
  count: u32;
  /** Ancillary data: there are none here. */
  control: usize;
  controlLength: u32;
  /** Of what was received. */
  flags: u32;
}

/** Bytes that `initializeGather` needs. */
export const GATHER_STORAGE: usize = <usize>(IOV_MAX * IOVEC);
/** A message's header, then its vector that is checked, then the next piece of it. */
let scratch: usize = 0;

/** Once at boot. `storage`: GATHER_STORAGE bytes, 8-aligned. */
export function initializeGather(storage: usize): void {
  scratch = storage;
}

/** One piece. Its length; -EINVAL: that is negative; -EFAULT. */
export function gatherOne(address: usize, length: u32): i32 {
  if (<i32>length < 0) return -EINVAL;
  if (!userRange(address, length)) return -EFAULT;
  gatherResume(address, length, 0, 0);
  return <i32>length;
}

/**
 * The pieces of the struct msghdr at `message`. Bytes of all of them; -EMSGSIZE: there are more than IOV_MAX; -EINVAL: more bytes than an i32 says; -EOPNOTSUPP: with
 * ancillary data; -EFAULT.
 */
export function gatherMessage(message: usize): i32 {
  if (readUser(scratch, message, offsetof<MessageHeader>()) < 0) return -EFAULT;
  const header = changetype<MessageHeader>(scratch);
  if (header.controlLength != 0) return -EOPNOTSUPP;
  messageName = header.name;
  messageNameLength = header.nameLength;
  const vector = header.vector;
  const count = header.count;
  if (count > IOV_MAX) return -EMSGSIZE;
  if (readUser(scratch, vector, count * IOVEC) < 0) return -EFAULT;
  let total: u32 = 0;
  for (let piece = scratch; piece != scratch + count * IOVEC; piece += IOVEC) {
    const length = load<u32>(piece, 4);
    if (!userRange(load<usize>(piece), length)) return -EFAULT;
    // Neither is more than an i32 says.
    total += length;
    if (<i32>length < 0 || <i32>total < 0) return -EINVAL;
  }
  gatherResume(0, 0, vector, count);
  return <i32>total;
}

/** Goes on where the numbers say: those that were exported before others may have sent something. */
export function gatherResume(at: usize, left: u32, next: usize, count: u32): void {
  gatherAt = at;
  gatherLeft = left;
  gatherNext = next;
  gatherCount = count;
}

/** Takes the next `bytes`. 0; -EFAULT: they are not there (any more); some of them may have been taken then. */
// @ts-ignore: decorator
@inline
export function gather(destination: usize, bytes: u32): i32 {
  return bytes > gatherLeft ? gatherPieces(destination, bytes) : gatherHere(destination, bytes);
}

/** The same, where the present piece has them. */
// @ts-ignore: decorator
@inline
function gatherHere(destination: usize, bytes: u32): i32 {
  const at = gatherAt;
  gatherAt = at + bytes;
  gatherLeft -= bytes;
  return readUser(destination, at, bytes);
}

/** The same, where they are more than the present piece has. */
function gatherPieces(destination: usize, bytes: u32): i32 {
  while (bytes > gatherLeft) {
    const part = gatherLeft;
    if (part != 0 && readUser(destination, gatherAt, part) < 0) return -EFAULT;
    destination += part;
    bytes -= part;
    if (gatherCount == 0 || readUser(scratch, gatherNext, IOVEC) < 0) return -EFAULT;
    gatherAt = load<usize>(scratch);
    gatherLeft = load<u32>(scratch, 4);
    gatherNext += IOVEC;
    gatherCount--;
  }
  return gatherHere(destination, bytes);
}
