/**
 * Guest instructions for a request, on the frame wire, one after the other: all that runs because of it, the acknowledgements of the answer and timers among it
 * (counted.ts).
 */
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { Counted } from "./counted.ts";
import { type Session, measurement } from "./trace.ts";

const REQUESTS = 60;
const QUICK_REQUESTS = 40;

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

/** A guest, and what is done in it again and again. */
function session(
  name: string,
  exact: boolean,
  begin: (guest: Counted) => Promise<() => Promise<unknown>>,
): Session {
  return {
    names: [name],
    exact,
    async measure(stacks, quick) {
      const guest = await Counted.boot(name, DEFAULT_IMAGE, stacks, quick);
      try {
        return { [name]: await guest.cost(quick ? QUICK_REQUESTS : REQUESTS, 1, await begin(guest)) };
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
export const requests = measurement(
  "counted",
  page,
  closing,
  session("http.request.stats", false, keeping("/stats")),
);
