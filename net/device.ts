/**
 * What a network device must offer, and what it gets. A driver fills one in; the layers above know nothing else of it.
 * Operations are function indices (`call_indirect`), as a struct of function pointers would be in C.
 */
import { PacketBuffer } from "./buffer";

/** The device fills in transport checksums (CHECKSUM_PARTIAL). */
export const DEVICE_CHECKSUM_TX: u32 = 1;


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
   * (device: NetworkDevice, frame: PacketBuffer) => i32: hands an Ethernet frame over. 0, or -ENOBUFS when the transmit queue is
   * full. Takes a reference of its own while the device reads the frame; the caller's stays the caller's.
   */
  transmit: u32;
  /** (device: NetworkDevice) => void: rings the doorbell for all that was handed over since the last time. */
  flush: u32;
  /** (device: NetworkDevice, frame: PacketBuffer) => void: set by the layer above; takes the reference. */
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
