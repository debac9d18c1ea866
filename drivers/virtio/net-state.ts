/**
 * What the driver of a virtio network device (virtio 1.2, 5.1.6) keeps, and the header that precedes each packet in its own buffer:
 *
 *     0 flags u8 │ 1 gso_type u8 │ 2 hdr_len u16 │ 4 gso_size u16 │ 6 csum_start u16 │ 8 csum_offset u16 │ 10 num_buffers u16
 */
import { Timer } from "../../kernel/time/timers";
import { BUFFER_ROOM, PacketBuffer } from "../../net/buffer";
import { NetworkDevice } from "../../net/device";
import { VirtioDevice } from "./transport";
import { Virtqueue } from "./virtqueue";

export const HEADER: u32 = 12;
export const HEADER_GSO_SIZE: u32 = 4;
export const HEADER_NUM_BUFFERS: u32 = 10;
export const HEADER_F_NEEDS_CSUM: u32 = 1;
export const HEADER_F_DATA_VALID: u32 = 2;

export const ETHERNET_HEADER: u32 = 14;

/** In front of the virtio header of a received frame: it makes the IPv4 header, 26 bytes further on, 4-aligned. */
export const RECEIVE_HEADROOM: u32 = 2;
export const RECEIVE_ROOM: u32 = BUFFER_ROOM - RECEIVE_HEADROOM;

/** A device, and what the driver knows of it. Zeroed when it is made. */
@unmanaged
export class VirtioNet extends Timer {
  device: NetworkDevice;
  virtio: VirtioDevice;
  receiveQueue: Virtqueue;
  transmitQueue: Virtqueue;
  /** Header flags that say the checksum is good; 0 without VIRTIO_NET_F_GUEST_CSUM. */
  checksumFlags: u32;
  /** VIRTIO_NET_F_MRG_RXBUF. */
  mergeable: u32;
  /** Kinds of segments that the device may put together: bit g is gso_type g. */
  mergedKinds: u32;
  /** The packet of which a part has come: its first and its last buffer, null when it is dropped; and the buffers of it that are to come. */
  first: PacketBuffer | null;
  last: PacketBuffer | null;
  missing: u32;
  /** Frames were left over by the last round. */
  more: u32;
  /** The device was given up. */
  stopped: u32;
  /** Free descriptors of the receive queue from which on it is filled up. */
  batch: u32;
  /** Times that the pool had no buffer for the receive queue. */
  starved: u32;
}
