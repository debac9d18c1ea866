/** Ports of this host that are to be forwarded: which stands twice, and why one cannot be (QEMU does not say). */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const ADDRESS = "127.0.0.1";

/** The first of the ports that stands twice; undefined: none does. */
export function repeated(ports: readonly string[]): string | undefined {
  return ports.find((port, index) => ports.indexOf(port) !== index);
}

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
