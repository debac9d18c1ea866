/**
 * What a network device must offer, and what it gets. A driver fills one in; the layers above know nothing else of it.
 * Operations are function indices (`call_indirect`), as a struct of function pointers would be in C.
 */
import { PacketBuffer } from "./buffer";

/** The device fills in transport checksums (CHECKSUM_PARTIAL). */
export const DEVICE_CHECKSUM_TX: u32 = 1;

/** Kinds of packets that the device cuts into segments (`segmentKind`): TCP over IPv4, TCP over IPv6. */
export const SEGMENTS_TCP4: u32 = 1;
export const SEGMENTS_TCP6: u32 = 2;


@unmanaged
export class NetworkDevice {
  /** Link address, as it stands in the frame: bytes 0..3 and 4..5, in memory order. */
  address0: u32;
  address4: u16;
  /** Largest IPv4 packet, in bytes. */
  mtu: u16;
  /** DEVICE_* flags. */
  features: u32;
  /** 1 while the link is up. */
  linkUp: u32;
  /**
   * Segmentation offload: largest packet of TCP over IPv4 and over IPv6, its IP header included, in bytes, that the device cuts into segments by itself, with DEVICE_CHECKSUM_TX; 0: it
   * does not. Each segment has the headers of the packet, with its own lengths and sequence number; CWR is for the first, PSH and FIN for the last.
   */
  segmented4: u32;
  segmented6: u32;
  /** Buffers that such a packet may have. */
  pieces: u32;
  /**
   * (device: NetworkDevice, frame: PacketBuffer) => i32: hands an Ethernet frame over. 0, or -ENOBUFS when the transmit queue is
   * full. Takes a reference of its own, of each piece of a chain, while the device reads the frame; the caller's stays the caller's. Only what is to be cut
   * into segments may be a chain.
   */
  transmit: u32;
  /** (device: NetworkDevice) => void: rings the doorbell for all that was handed over since the last time. */
  flush: u32;
  /**
   * (device: NetworkDevice, frame: PacketBuffer) => void: set by the layer above; takes the reference. A chain is segments of TCP that the device has put together
   * (`segmentSize`), and has checked.
   */
  receive: u32;
  /** (device: NetworkDevice) => void: set by the layer above; called when `linkUp` changed. */
  linkChanged: u32;
  /** The driver's own state. */
  driver: usize;
  /** Counters, in frames and bytes. Dropped: refused or malformed, at the driver. */
  receivedFrames: u64;
  receivedBytes: u64;
  sentFrames: u64;
  sentBytes: u64;
  receiveDropped: u64;
  transmitDropped: u64;
  /** Of the frames, those that were cut into segments, and those that had been put together of some. */
  sentSegmented: u64;
  receivedMerged: u64;
}


@inline
export function deviceTransmit(device: NetworkDevice, frame: PacketBuffer): i32 {
  return call_indirect<i32>(device.transmit, device, frame);
}


@inline
export function deviceFlush(device: NetworkDevice): void {
  call_indirect<void>(device.flush, device);
}


@inline
export function deviceReceive(device: NetworkDevice, frame: PacketBuffer): void {
  call_indirect<void>(device.receive, device, frame);
}
