/**
 * IPv4 (RFC 791), ICMP echo and errors (RFC 792) and UDP (RFC 768) as bytes.
 *
 * Encoders fill in lengths and checksums unless the caller gives them (a test may want a wrong one). Decoders check
 * lengths, and report a checksum as a flag and leave the judgement to the test.
 */

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export interface Ipv4Packet {
  source: number;
  destination: number;
  protocol: number;
  payload: Buffer;
  /** DSCP and, in the lowest two bits, ECN (RFC 3168). */
  tos?: number;
  identification?: number;
  ttl?: number;
  /** Flags and offset as they stand in the header: 0x4000 don't fragment, 0x2000 more fragments, offset in units of 8 bytes. */
  fragment?: number;
  /** Bytes of options; padded to a multiple of 4. */
  options?: Buffer;
  /** Encoder: the value to write instead of the right one. */
  checksum?: number;
  /** Decoder: whether the header checksum was right. */
  checksumOk?: boolean;
}

export interface UdpDatagram {
  sourcePort: number;
  destinationPort: number;
  payload: Buffer;
  checksum?: number;
  checksumOk?: boolean;
}

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO = 8;

export interface IcmpMessage {
  type: number;
  code: number;
  /** Echo: identifier and sequence number. Others: the second word of the header. */
  identifier: number;
  sequence: number;
  payload: Buffer;
  checksumOk?: boolean;
}

/** Sum of 16-bit words, not folded, an odd last byte padded with zero (RFC 1071). */
export function sum16(bytes: Buffer, start = 0): number {
  let sum = start;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  if (even < bytes.length) sum += (bytes[even] as number) << 8;
  return sum;
}

/** The Internet checksum of a sum: folded and inverted. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** Sum of the pseudo header of TCP and UDP. */
export function pseudoSum(source: number, destination: number, protocol: number, length: number): number {
  return (
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length
  );
}

let nextIdentification = 1;

export function encodeIpv4(packet: Ipv4Packet): Buffer {
  const options = packet.options ?? Buffer.alloc(0);
  const header = 20 + ((options.length + 3) & ~3);
  const bytes = Buffer.alloc(header + packet.payload.length);
  bytes[0] = 0x40 | (header >> 2);
  bytes[1] = packet.tos ?? 0;
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(packet.identification ?? nextIdentification++ & 0xffff, 4);
  bytes.writeUInt16BE(packet.fragment ?? 0x4000, 6);
  bytes[8] = packet.ttl ?? 64;
  bytes[9] = packet.protocol;
  bytes.writeUInt32BE(packet.source, 12);
  bytes.writeUInt32BE(packet.destination, 16);
  options.copy(bytes, 20);
  bytes.writeUInt16BE(packet.checksum ?? fold(sum16(bytes.subarray(0, header))), 10);
  packet.payload.copy(bytes, header);
  return bytes;
}

export function decodeIpv4(bytes: Buffer): Ipv4Packet | undefined {
  if (bytes.length < 20 || (bytes[0] as number) >> 4 !== 4) return undefined;
  const header = ((bytes[0] as number) & 15) * 4;
  const total = bytes.readUInt16BE(2);
  if (header < 20 || total < header || total > bytes.length) return undefined;
  return {
    tos: bytes[1] as number,
    identification: bytes.readUInt16BE(4),
    fragment: bytes.readUInt16BE(6),
    ttl: bytes[8] as number,
    protocol: bytes[9] as number,
    source: bytes.readUInt32BE(12),
    destination: bytes.readUInt32BE(16),
    options: bytes.subarray(20, header),
    payload: bytes.subarray(header, total),
    checksumOk: fold(sum16(bytes.subarray(0, header))) === 0,
  };
}

export function encodeUdp(source: number, destination: number, datagram: UdpDatagram): Buffer {
  const bytes = Buffer.alloc(8 + datagram.payload.length);
  bytes.writeUInt16BE(datagram.sourcePort, 0);
  bytes.writeUInt16BE(datagram.destinationPort, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  datagram.payload.copy(bytes, 8);
  const sum = fold(sum16(bytes, pseudoSum(source, destination, PROTOCOL_UDP, bytes.length)));
  bytes.writeUInt16BE(datagram.checksum ?? (sum === 0 ? 0xffff : sum), 6);
  return bytes;
}

export function decodeUdp(source: number, destination: number, bytes: Buffer): UdpDatagram | undefined {
  if (bytes.length < 8) return undefined;
  const length = bytes.readUInt16BE(4);
  if (length < 8 || length > bytes.length) return undefined;
  const datagram = bytes.subarray(0, length);
  const checksum = bytes.readUInt16BE(6);
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    payload: datagram.subarray(8),
    checksum,
    checksumOk:
      checksum === 0 || fold(sum16(datagram, pseudoSum(source, destination, PROTOCOL_UDP, length))) === 0,
  };
}

export function encodeIcmp(message: IcmpMessage): Buffer {
  const bytes = Buffer.alloc(8 + message.payload.length);
  bytes[0] = message.type;
  bytes[1] = message.code;
  bytes.writeUInt16BE(message.identifier, 4);
  bytes.writeUInt16BE(message.sequence, 6);
  message.payload.copy(bytes, 8);
  bytes.writeUInt16BE(fold(sum16(bytes)), 2);
  return bytes;
}

export function decodeIcmp(bytes: Buffer): IcmpMessage | undefined {
  if (bytes.length < 8) return undefined;
  return {
    type: bytes[0] as number,
    code: bytes[1] as number,
    identifier: bytes.readUInt16BE(4),
    sequence: bytes.readUInt16BE(6),
    payload: bytes.subarray(8),
    checksumOk: fold(sum16(bytes)) === 0,
  };
}
