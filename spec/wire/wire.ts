/**
 * The wire between a frame peer and a guest: QEMU's `-netdev dgram`, one Ethernet frame per UDP datagram on 127.0.0.1, or `-netdev stream`, which loses none (stream.ts).
 *
 * Each end has a port of its own. What a bad network would do to frames is done here, in both directions (link.ts).
 */
import { type Socket, createSocket } from "node:dgram";
import type { Wire as GuestEnd } from "../../tools/qemu.ts";
import { type Impairment, Link } from "./link.ts";
import { type Carrier, FrameStream } from "./stream.ts";

export { generator } from "./link.ts";

/** A UDP socket bound on 127.0.0.1; port 0 takes a free one. */
function bound(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
    socket.once("error", reject);
    socket.bind(port, "127.0.0.1", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** A UDP port that nobody has at this moment. */
export async function freeUdpPort(): Promise<number> {
  const socket = await bound(0);
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

export class Wire {
  /** Called with each frame that arrives. */
  onFrame: (frame: Buffer) => void = () => {};
  sent = 0;
  received = 0;
  /** To the guest and from it, while the wire is a bad one. */
  outward: Link | undefined;
  inward: Link | undefined;
  private closed = false;

  private constructor(
    private readonly carrier: Carrier,
    /** The guest's end as tools/qemu.ts takes it (`wire`). */
    readonly guestEnd: GuestEnd,
  ) {}

  /** Opens our end; without ports free ones are chosen. */
  static async open(guestPort?: number, port = 0): Promise<Wire> {
    const socket = await bound(port);
    const localPort = guestPort ?? (await freeUdpPort());
    const carrier: Carrier = {
      send: (frame) => socket.send(frame, localPort, "127.0.0.1", () => {}),
      close: () => socket.close(),
    };
    const wire = new Wire(carrier, { localPort, remotePort: socket.address().port });
    // QEMU not there yet or gone: like a cable that is not plugged in.
    socket.on("error", () => {});
    socket.on("message", (frame) => wire.arrives(frame));
    return wire;
  }

  /** The same, and no frame is ever lost for want of room. */
  static async openStream(): Promise<Wire> {
    const stream = await FrameStream.listen();
    const wire = new Wire(stream, { streamPort: stream.port });
    stream.onFrame = (frame) => wire.arrives(frame);
    return wire;
  }

  /** Sends a frame of at most 65,507 bytes. */
  send(frame: Buffer): void {
    if (this.closed) return;
    if (this.outward) this.outward.pass(frame);
    else this.transmit(frame);
  }

  /** From now on in both directions, or another one from the guest; undefined: a perfect wire again. */
  impair(impairment: Impairment | undefined, fromGuest = impairment): void {
    this.outward?.close();
    this.inward?.close();
    this.outward = impairment && new Link(impairment, (frame) => this.transmit(frame));
    // Other numbers than the other direction has.
    const seed = (fromGuest?.seed ?? 1) + 0x9e3779b9;
    this.inward = fromGuest && new Link({ ...fromGuest, seed }, (frame) => this.onFrame(frame));
  }

  close(): void {
    if (this.closed) return;
    this.impair(undefined);
    this.closed = true;
    this.carrier.close();
  }

  private arrives(frame: Buffer): void {
    this.received += 1;
    if (this.inward) this.inward.pass(frame);
    else this.onFrame(frame);
  }

  private transmit(frame: Buffer): void {
    if (this.closed) return;
    this.sent += 1;
    this.carrier.send(frame);
  }
}
