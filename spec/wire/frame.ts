/**
 * Ethernet II (IEEE 802.3) and ARP (RFC 826) as bytes: what the frame peer puts on the wire and reads from it.
 *
 * IPv4 addresses are unsigned 32-bit numbers in host order (10.0.2.2 is 0x0a000202), MAC addresses are strings
 * ("52:54:00:12:34:56"). Decoders return undefined for what is too short or not theirs: a test asserts, they do not throw.
 */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const BROADCAST = "ff:ff:ff:ff:ff:ff";
export const ETHERNET_HEADER = 14;

export interface EthernetFrame {
  destination: string;
  source: string;
  type: number;
  payload: Buffer;
}

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpPacket {
  operation: number;
  senderMac: string;
  senderAddress: number;
  targetMac: string;
  targetAddress: number;
}

/** "10.0.2.15" as a number. Throws for anything but four decimal octets: the argument is the test's own. */
export function address(text: string): number {
  const octets = text.split(".").map(Number);
  if (octets.length !== 4 || octets.some((octet) => !Number.isInteger(octet) || octet < 0 || octet > 255)) {
    throw new RangeError(`not an IPv4 address: ${text}`);
  }
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

/** A number as "10.0.2.15". */
export function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

function macBytes(mac: string): Buffer {
  const bytes = Buffer.from(mac.replaceAll(":", ""), "hex");
  if (bytes.length !== 6) throw new RangeError(`not a MAC address: ${mac}`);
  return bytes;
}

function macText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/..(?!$)/g, "$&:");
}

/** The frame without FCS, as QEMU's dgram back end carries it; short frames are padded with zeroes to 60 bytes. */
export function encodeEthernet(frame: EthernetFrame): Buffer {
  const bytes = Buffer.alloc(Math.max(60, ETHERNET_HEADER + frame.payload.length));
  macBytes(frame.destination).copy(bytes, 0);
  macBytes(frame.source).copy(bytes, 6);
  bytes.writeUInt16BE(frame.type, 12);
  frame.payload.copy(bytes, ETHERNET_HEADER);
  return bytes;
}

export function decodeEthernet(bytes: Buffer): EthernetFrame | undefined {
  if (bytes.length < ETHERNET_HEADER) return undefined;
  return {
    destination: macText(bytes.subarray(0, 6)),
    source: macText(bytes.subarray(6, 12)),
    type: bytes.readUInt16BE(12),
    payload: bytes.subarray(ETHERNET_HEADER),
  };
}

export function encodeArp(packet: ArpPacket): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16BE(1, 0); // hardware: Ethernet
  bytes.writeUInt16BE(ETHERTYPE_IPV4, 2);
  bytes[4] = 6;
  bytes[5] = 4;
  bytes.writeUInt16BE(packet.operation, 6);
  macBytes(packet.senderMac).copy(bytes, 8);
  bytes.writeUInt32BE(packet.senderAddress, 14);
  macBytes(packet.targetMac).copy(bytes, 18);
  bytes.writeUInt32BE(packet.targetAddress, 24);
  return bytes;
}

export function decodeArp(bytes: Buffer): ArpPacket | undefined {
  if (bytes.length < 28 || bytes.readUInt16BE(0) !== 1 || bytes.readUInt16BE(2) !== ETHERTYPE_IPV4)
    return undefined;
  if (bytes[4] !== 6 || bytes[5] !== 4) return undefined;
  return {
    operation: bytes.readUInt16BE(6),
    senderMac: macText(bytes.subarray(8, 14)),
    senderAddress: bytes.readUInt32BE(14),
    targetMac: macText(bytes.subarray(18, 24)),
    targetAddress: bytes.readUInt32BE(24),
  };
}
