/** Payloads of datagrams between an application and buffers: one that is too long for a buffer is a chain of them (net/buffer.ts). */
import { ENOBUFS } from "../../kernel/errno";
import { letInterruptIn } from "../../kernel/interrupts/vectors";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "../buffer";
import { checksumAdd } from "../checksum";
import { IpAddress } from "../flow";
import { FRAGMENT_STRETCH } from "../fragment";
import { fragmentSize, networkHeaderLength, packetLimit } from "../ip";
import { UDP_HEADER } from "../wire/udp";
import { gather } from "./gather";
import { writePayload } from "./payload";

/** Copies the first `length` bytes of a received datagram to the application. 0 or -EFAULT. */
// @ts-ignore: decorator
@inline
export function writeDatagram(user: usize, datagram: PacketBuffer, length: u32): i32 {
  return datagram.more === null
    ? writePayload(user, datagram.data, length)
    : writePieces(user, datagram, length);
}

function writePieces(user: usize, datagram: PacketBuffer, length: u32): i32 {
  let piece: PacketBuffer | null = datagram;
  let done: u32 = 0;
  do {
    const bytes = min(piece.length, length - done);
    const result = writePayload(user + done, piece.data, bytes);
    if (result < 0) return result;
    done += bytes;
    piece = piece.more;
  } while (piece !== null && done < length);
  return 0;
}

/** Result of `readDatagram`; 0: the negative errno is in `readError`. */
export let readError: i32 = 0;

/**
 * A datagram of the `length` bytes that gather() gives, to be sent to `destination`: in one buffer if it fits into a packet, else in pieces of the size of
 * fragments, with its sum in checksumStart. Null: `readError` is -EFAULT or -ENOBUFS. Lets interrupts in when it is long.
 */
export function readDatagram(length: u32, destination: IpAddress): PacketBuffer | null {
  const whole = length + UDP_HEADER + networkHeaderLength(destination) <= packetLimit(destination);
  const most = fragmentSize(destination);
  // The header of the transport goes in front of the first.
  let bytes = whole ? length : min(length, most - UDP_HEADER);
  const first = readPiece(bytes);
  if (first === null || bytes == length) return first;
  let sum = checksumAdd(first.data, bytes, 0);
  let last = first;
  let done = bytes;
  for (let count: u32 = 1; done < length; count++) {
    if (count % FRAGMENT_STRETCH == 0) letInterruptIn();
    bytes = min(length - done, most);
    const piece = readPiece(bytes);
    if (piece === null) {
      releaseBuffer(first);
      return null;
    }
    sum = checksumAdd(piece.data, bytes, sum);
    last.more = piece;
    last = piece;
    done += bytes;
  }
  first.checksumStart = sum;
  return first;
}

function readPiece(bytes: u32): PacketBuffer | null {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) {
    readError = -ENOBUFS;
    return null;
  }
  readError = gather(buffer.data, bytes);
  if (readError < 0) {
    releaseBuffer(buffer);
    return null;
  }
  buffer.length = bytes;
  return buffer;
}
