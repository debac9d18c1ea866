/** Makes frames for specs: a scratch frame that is filled in layer by layer, from a peer to the stack unless told otherwise. */
import { checksumAdd, internetChecksum } from "../../net/checksum";
import { ARP_LENGTH, ArpPacket } from "../../net/wire/arp";
import { ETHERNET_HEADER, EthernetHeader, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../net/wire/ethernet";
import { IPV4_HEADER, Ipv4Header } from "../../net/wire/ipv4";
import { UDP_HEADER, UdpHeader } from "../../net/wire/udp";
import { OWN0, OWN4, PEER0, PEER4, receiveNow } from "./link";
import { pseudoHeaderSum } from "./addresses";

const scratch = new StaticArray<u8>(4096);

/** Where the scratch frame, its network header and its transport header (without IPv4 options) begin. */
export const FRAME: usize = changetype<usize>(scratch);
export const NETWORK: usize = FRAME + ETHERNET_HEADER;
export const TRANSPORT: usize = NETWORK + IPV4_HEADER;
/** Bytes of the scratch frame. */
export let frameLength: u32 = 0;

export function setFrameLength(length: u32): void {
  frameLength = length;
}

export function ethernet(type: u32): EthernetHeader {
  const header = changetype<EthernetHeader>(FRAME);
  header.setDestination(OWN0, OWN4);
  header.setSource(PEER0, PEER4);
  header.type = type;
  return header;
}

export function ipChecksum(): void {
  const header = changetype<Ipv4Header>(NETWORK);
  header.checksum = 0;
  header.checksum = internetChecksum(checksumAdd(NETWORK, header.headerLength, 0));
}

/** An IPv4 packet with `payload` bytes, whatever stands there. */
export function ipv4(source: u32, destination: u32, protocol: u32, payload: u32): Ipv4Header {
  ethernet(ETHERTYPE_IPV4);
  const header = changetype<Ipv4Header>(NETWORK);
  header.setFirstWord(IPV4_HEADER + payload);
  header.identification = 7;
  header.fragment = 0;
  header.ttl = 64;
  header.protocol = protocol;
  header.source = source;
  header.destination = destination;
  ipChecksum();
  frameLength = ETHERNET_HEADER + IPV4_HEADER + payload;
  return header;
}

/** A UDP datagram with `payload` bytes: 0, 1, 2, …. */
export function udp(source: u32, sourcePort: u32, destination: u32, port: u32, payload: u32): UdpHeader {
  const length = UDP_HEADER + payload;
  ipv4(source, destination, 17, length);
  const header = changetype<UdpHeader>(TRANSPORT);
  header.sourcePort = sourcePort;
  header.destinationPort = port;
  header.length = length;
  for (let i: u32 = 0; i < payload; i++) store<u8>(TRANSPORT + UDP_HEADER + i, <u8>i);
  udpChecksum(source, destination, length);
  return header;
}

export function udpChecksum(source: u32, destination: u32, length: u32): void {
  const header = changetype<UdpHeader>(TRANSPORT);
  header.checksum = 0;
  const sum = internetChecksum(
    checksumAdd(TRANSPORT, length, pseudoHeaderSum(source, destination, 17, length)),
  );
  header.checksum = sum == 0 ? 0xffff : sum;
}

export function arp(operation: u32, sender: u32, sender4: u16, target: u32): ArpPacket {
  ethernet(ETHERTYPE_ARP).setSource(PEER0, sender4);
  const packet = changetype<ArpPacket>(NETWORK);
  packet.format();
  packet.operation = operation;
  packet.setSender(PEER0, sender4);
  packet.senderAddress = sender;
  packet.setTarget(0, 0);
  packet.targetAddress = target;
  frameLength = ETHERNET_HEADER + ARP_LENGTH;
  return packet;
}

/** Hands the scratch frame in. */
export function deliver(): void {
  assert(receiveNow(FRAME, frameLength, 0), "no buffer");
}
