/**
 * Guest instructions for a request, on the frame wire, one after the other: all that runs for it and for the acknowledgement of the answer, counted exactly (counted.ts) from the first
 * instruction of the interrupt's stub, the processor having halted before it.
 */
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { Counted } from "./counted.ts";
import { type Session, meanOf, measurement } from "./trace.ts";

const PAGE = "http.request.page";
const STATS = "http.request.stats";
const CLOSE = "http.request.close";
const REQUESTS = 60;
const QUICK_REQUESTS = 24;

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

/** Means: every few requests the driver gives the device buffers for many frames. */
function requestSession(names: readonly string[], path: string): Session {
  const [kept = "", closed] = names;
  return {
    names,
    exact: true,
    async measure(stacks, quick) {
      const guest = await Counted.boot("requests", DEFAULT_IMAGE, stacks);
      const count = quick ? QUICK_REQUESTS : REQUESTS;
      try {
        const client = new TcpClient(guest.peer, 80);
        await client.connect(5000);
        const own = await guest.rounds(count, () => {
          client.send(get(path));
          return client.receive(5000, complete);
        });
        client.abort();
        const traces = { [kept]: meanOf(own, guest) };
        if (closed === undefined) return traces;
        const request = Buffer.from(get(path, "Connection: close"));
        const all = await guest.rounds(count, () =>
          TcpClient.request(guest.peer, 80, request, 5000, complete),
        );
        return { ...traces, [closed]: meanOf(all, guest) };
      } finally {
        await guest.stop();
      }
    },
  };
}

export const pages = requestSession([PAGE, CLOSE], "/");
export const requests = measurement(pages, requestSession([STATS], "/stats"));
