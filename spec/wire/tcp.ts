/**
 * TCP segments (RFC 9293 section 3.1) and their options (MSS, window scale and timestamps of RFC 7323, SACK of RFC 2018)
 * as bytes. Sequence numbers are unsigned 32-bit numbers; `sequenceAfter` compares them modulo 2^32.
 */
import { PROTOCOL_TCP, fold, pseudoSum, sum16 } from "./ipv4.ts";

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
/** RFC 3168. */
export const ECE = 0x40;
export const CWR = 0x80;

export interface TcpOptions {
  mss?: number;
  /** Shift count. */
  windowScale?: number;
  sackPermitted?: boolean;
  /** [left edge, right edge] of each block. */
  sack?: [number, number][];
  timestamp?: { value: number; echo: number };
  /** Options that are none of the above. */
  unknown?: { kind: number; body: Buffer }[];
  /** Bytes instead of all the others: for malformed options. */
  raw?: Buffer;
}

export interface TcpSegment {
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgement: number;
  flags: number;
  /** As in the header: not scaled. */
  window: number;
  urgent?: number;
  options: TcpOptions;
  payload: Buffer;
  checksum?: number;
  checksumOk?: boolean;
  /** Encoder: data offset in 32-bit words instead of the right one. */
  dataOffset?: number;
}

/** `a` - `b` modulo 2^32 as a signed number: > 0 when `a` is after `b`. */
export function sequenceDifference(a: number, b: number): number {
  return (a - b) | 0;
}

/** `a` + `n` modulo 2^32. */
export function sequenceAdd(a: number, n: number): number {
  return (a + n) >>> 0;
}

/** How far a segment moves the sequence number: data, and one each for SYN and FIN. */
export function segmentLength(segment: TcpSegment): number {
  return segment.payload.length + (segment.flags & SYN ? 1 : 0) + (segment.flags & FIN ? 1 : 0);
}

function encodeOptions(options: TcpOptions): Buffer {
  if (options.raw) return options.raw;
  const bytes: number[] = [];
  const word = (value: number): void => {
    bytes.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  };
  if (options.mss !== undefined) bytes.push(2, 4, options.mss >> 8, options.mss & 255);
  if (options.sackPermitted) bytes.push(4, 2);
  if (options.timestamp) {
    bytes.push(8, 10);
    word(options.timestamp.value);
    word(options.timestamp.echo);
  }
  if (options.windowScale !== undefined) bytes.push(3, 3, options.windowScale);
  if (options.sack) {
    bytes.push(5, 2 + 8 * options.sack.length);
    for (const [left, right] of options.sack) {
      word(left);
      word(right);
    }
  }
  for (const { kind, body } of options.unknown ?? []) bytes.push(kind, 2 + body.length, ...body);
  while (bytes.length % 4 !== 0) bytes.push(1);
  return Buffer.from(bytes);
}

/** What is well-formed of the options; decoding stops at the first that is not. */
function decodeOptions(bytes: Buffer): TcpOptions {
  const options: TcpOptions = {};
  for (let i = 0; i < bytes.length;) {
    const kind = bytes[i] as number;
    if (kind === 0) break;
    if (kind === 1) {
      i += 1;
      continue;
    }
    const length = bytes[i + 1] ?? 0;
    if (length < 2 || i + length > bytes.length) break;
    const body = bytes.subarray(i + 2, i + length);
    if (kind === 2 && length === 4) options.mss = body.readUInt16BE(0);
    if (kind === 3 && length === 3) options.windowScale = body[0] as number;
    if (kind === 4 && length === 2) options.sackPermitted = true;
    if (kind === 8 && length === 10)
      options.timestamp = { value: body.readUInt32BE(0), echo: body.readUInt32BE(4) };
    if (kind === 5 && body.length % 8 === 0) {
      options.sack = [];
      for (let at = 0; at < body.length; at += 8) {
        options.sack.push([body.readUInt32BE(at), body.readUInt32BE(at + 4)]);
      }
    }
    if (kind > 8 || kind === 6 || kind === 7)
      options.unknown = [...(options.unknown ?? []), { kind, body: Buffer.from(body) }];
    i += length;
  }
  return options;
}

export function encodeTcp(source: number, destination: number, segment: TcpSegment): Buffer {
  const options = encodeOptions(segment.options);
  const header = 20 + ((options.length + 3) & ~3);
  const bytes = Buffer.alloc(header + segment.payload.length);
  bytes.writeUInt16BE(segment.sourcePort, 0);
  bytes.writeUInt16BE(segment.destinationPort, 2);
  bytes.writeUInt32BE(segment.sequence >>> 0, 4);
  bytes.writeUInt32BE(segment.acknowledgement >>> 0, 8);
  bytes[12] = ((segment.dataOffset ?? header >> 2) << 4) & 0xf0;
  bytes[13] = segment.flags;
  bytes.writeUInt16BE(segment.window, 14);
  bytes.writeUInt16BE(segment.urgent ?? 0, 18);
  options.copy(bytes, 20);
  segment.payload.copy(bytes, header);
  const sum = fold(sum16(bytes, pseudoSum(source, destination, PROTOCOL_TCP, bytes.length)));
  bytes.writeUInt16BE(segment.checksum ?? sum, 16);
  return bytes;
}

export function decodeTcp(source: number, destination: number, bytes: Buffer): TcpSegment | undefined {
  if (bytes.length < 20) return undefined;
  const header = ((bytes[12] as number) >> 4) * 4;
  if (header < 20 || header > bytes.length) return undefined;
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledgement: bytes.readUInt32BE(8),
    flags: bytes[13] as number,
    window: bytes.readUInt16BE(14),
    urgent: bytes.readUInt16BE(18),
    options: decodeOptions(bytes.subarray(20, header)),
    payload: bytes.subarray(header),
    checksum: bytes.readUInt16BE(16),
    checksumOk: fold(sum16(bytes, pseudoSum(source, destination, PROTOCOL_TCP, bytes.length))) === 0,
  };
}

/** How flags are written, by tcpdump and packetdrill as well. */
export const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [FIN, "F"],
  [SYN, "S"],
  [RST, "R"],
  [PSH, "P"],
  [URG, "U"],
  [ACK, "."],
  [ECE, "E"],
  [CWR, "W"],
];

/** "S." for SYN and ACK; "-" for none. */
export function flagsText(flags: number): string {
  return FLAG_LETTERS.flatMap(([bit, letter]) => (flags & bit ? [letter] : [])).join("") || "-";
}

/** A segment in one line, for messages of failed tests. */
export function segmentText(segment: TcpSegment): string {
  const { sequence, payload, acknowledgement, window, options } = segment;
  const extra = Object.entries(options)
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    .join(", ");
  const ports = `${segment.sourcePort}>${segment.destinationPort}`;
  return `${ports} ${flagsText(segment.flags)} seq ${sequence} len ${payload.length} ack ${acknowledgement} win ${window} <${extra}>`;
}
