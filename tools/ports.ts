/** Why a port of this host cannot be forwarded: QEMU does not say. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const ADDRESS = "127.0.0.1";

/** The code of the system error with which a socket cannot be bound to the port ("EADDRINUSE", "EACCES"); undefined when it can. */
export function refusal(port: number, udp: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = ({ code }: NodeJS.ErrnoException): void => resolve(code);
    if (udp) {
      const socket = createSocket("udp4").once("error", failed);
      socket.bind(port, ADDRESS, () => socket.close(() => resolve(undefined)));
    } else {
      const server = createServer().once("error", failed);
      server.listen(port, ADDRESS, () => server.close(() => resolve(undefined)));
    }
  });
}
