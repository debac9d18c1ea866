/**
 * What `sysinfo` writes: counters of the kernel, 64 bits each, since boot unless said otherwise. New ones are added at the
 * end only: a kernel that knows fewer writes fewer bytes, so clear the struct first.
 */
@unmanaged
export class SystemInformation {
  /** major << 32 | minor << 16 | patch */
  version: u64;
  /** Nanoseconds since boot. */
  uptime: u64;
  /** Processes now. */
  processes: u64;
  /** Bytes of memory that frames are given out of, and of those that are free now. */
  memoryTotal: u64;
  memoryFree: u64;
  /** Device interrupts and timer interrupts. */
  interrupts: u64;
  /** AEM: registrations now; activations; handlers run. */
  events: u64;
  activations: u64;
  handled: u64;
  /** Network interface: frames and bytes in and out, and received frames that were dropped for whatever reason. */
  framesReceived: u64;
  bytesReceived: u64;
  framesSent: u64;
  bytesSent: u64;
  framesDropped: u64;
  /** TCP: connections now (TIME-WAIT not counted); connections accepted; segments sent again. */
  tcpConnections: u64;
  tcpAccepted: u64;
  tcpRetransmitted: u64;
  /** TSC at which the last interrupt was taken: for measurements, with CLOCK_TSC. */
  interruptTsc: u64;
  /** Bytes that sockets have received and applications were given. */
  payloadDelivered: u64;
  /** Bytes of them that were copied on the way from the receive ring: as many, or a few more, of small pieces that were put together. */
  payloadCopied: u64;
  /** TCP: connections in TIME-WAIT now that nobody has open; those that did not last their time (2 MSL), for want of memory. */
  tcpTimeWaits: u64;
  tcpTimeWaitsCut: u64;
  /** Of the frames, those that the device cut into segments of TCP, and those that it put together of some: 0 where it does neither. */
  framesSegmented: u64;
  framesMerged: u64;
  /** Bytes of log lines that the serial port did not take in time. */
  consoleLost: u64;
}

/** Bytes of the counters known here. */
export const SYSTEM_INFORMATION_SIZE: i32 = offsetof<SystemInformation>();
