/** A TCP server on the loopback address that the guest connects to, and what it has accepted. */
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { until } from "../wire/patience.ts";

export class GuestServer {
  port = 0;
  private readonly accepted: Socket[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      this.accepted.push(socket);
    });
  }

  static async start(): Promise<GuestServer> {
    const it = new GuestServer();
    it.server.listen(0, "127.0.0.1");
    await once(it.server, "listening");
    it.port = (it.server.address() as AddressInfo).port;
    return it;
  }

  /** The server's end of the guest's connection number `count`, from 1 on. */
  async connection(count: number): Promise<Socket> {
    return until("a connection from the guest", () => this.accepted[count - 1]);
  }

  /** From now on the port refuses; what was accepted is reset. */
  stop(): void {
    this.server.close();
    for (const socket of this.accepted) socket.destroy();
  }
}
