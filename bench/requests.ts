/**
 * Guest instructions for a request, on the frame wire, one after the other: all that runs for it and for the acknowledgement of the answer, counted exactly (counted.ts) from the first
 * instruction of the interrupt's stub, the processor having halted before it.
 */
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { Counted } from "./counted.ts";
import { type Session, meanOf, measurement } from "./trace.ts";

const REQUESTS = 60;
const QUICK_REQUESTS = 24;

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

/**
 * A guest, and what is done in it again and again. Every few requests the driver gives the device buffers for many frames at once: those are not among the usual ones
 * (counted.ts). `tcp.segment.received` has its share of that.
 */
function session(
  name: string,
  exact: boolean,
  begin: (guest: Counted) => Promise<() => Promise<unknown>>,
): Session {
  return {
    names: [name],
    exact,
    async measure(stacks, quick) {
      const guest = await Counted.boot(name, DEFAULT_IMAGE, stacks);
      try {
        const found = await guest.rounds(quick ? QUICK_REQUESTS : REQUESTS, await begin(guest));
        return { [name]: meanOf(found, guest) };
      } finally {
        await guest.stop();
      }
    },
  };
}

/** On a connection that stays. */
const keeping =
  (path: string) =>
  async ({ peer }: Counted): Promise<() => Promise<unknown>> => {
    const client = new TcpClient(peer, 80);
    await client.connect(5000);
    return () => {
      client.send(get(path));
      return client.receive(5000, complete);
    };
  };

export const page = session("http.request.page", true, keeping("/"));
/** How many frames its end takes depends on the host. */
export const closing = session("http.request.close", false, async ({ peer }) => {
  const request = Buffer.from(get("/", "Connection: close"));
  return () => TcpClient.request(peer, 80, request, 5000, complete);
});
export const requests = measurement(page, closing, session("http.request.stats", false, keeping("/stats")));
