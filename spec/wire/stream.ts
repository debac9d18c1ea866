/** Frames in a TCP connection, their length in four bytes in front (QEMU's `-netdev stream`): what the guest has no room for waits, and nothing is lost. */
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";

/** What takes frames to the guest. */
export interface Carrier {
  send(frame: Buffer): void;
  close(): void;
}

const LENGTH = 4;

export class FrameStream implements Carrier {
  /** Called with each frame that arrives. */
  onFrame: (frame: Buffer) => void = () => {};
  private socket: Socket | undefined;
  /** The beginning of a frame whose end is still to come. */
  private rest: Buffer = Buffer.alloc(0);
  private waiting: Buffer[] = [];

  private constructor(private readonly server: Server) {
    server.on("connection", (socket) => {
      this.socket = socket;
      // The guest is gone: like a cable that is not plugged in.
      socket.on("error", () => {});
      socket.on("data", (data) => this.take(data));
    });
  }

  /** Waits for the guest at a free port of 127.0.0.1. */
  static async listen(): Promise<FrameStream> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FrameStream(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** All that is sent in one turn of the event loop goes as one piece. */
  send(frame: Buffer): void {
    if (this.waiting.length === 0) setImmediate(() => this.flush());
    const length = Buffer.alloc(LENGTH);
    length.writeUInt32BE(frame.length, 0);
    this.waiting.push(length, frame);
  }

  close(): void {
    this.socket?.destroy();
    this.server.close();
  }

  private flush(): void {
    this.socket?.write(Buffer.concat(this.waiting));
    this.waiting = [];
  }

  private take(data: Buffer): void {
    let bytes = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    while (bytes.length >= LENGTH) {
      const end = LENGTH + bytes.readUInt32BE(0);
      if (bytes.length < end) break;
      this.onFrame(bytes.subarray(LENGTH, end));
      bytes = bytes.subarray(end);
    }
    this.rest = bytes;
  }
}
