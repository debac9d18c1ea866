/**
 * A server of the peer that takes every connection and closes when the guest does: without any state, for its numbers follow from the
 * guest's. So it can have as many as there are.
 */
import type { Peer } from "./peer.ts";
import { ACK, FIN, RST, SYN, sequenceAdd } from "./tcp.ts";

const WINDOW_FIELD = 65535;
const SEQUENCE = 1000;

export interface Everybody {
  /** SYNs so far. */
  connections(): number;
  stop(): void;
}

/** At `ports` ports from `port` on. `stamps`: with the timestamps option. */
export function serveEverybody(
  peer: Peer,
  port: number,
  { ports = 1, stamps = true }: { ports?: number; stamps?: boolean } = {},
): Everybody {
  let connections = 0;
  const stop = peer.subscribe(({ ip, tcp }) => {
    if (!tcp || ip?.source !== peer.guest) return;
    if (tcp.destinationPort < port || tcp.destinationPort >= port + ports) return;
    if (tcp.flags & RST || !(tcp.flags & (SYN | FIN))) return;
    const syn = (tcp.flags & SYN) !== 0;
    if (syn) connections++;
    const timestamp = stamps ? tcp.options.timestamp : undefined;
    peer.sendTcp({
      sourcePort: tcp.destinationPort,
      destinationPort: tcp.sourcePort,
      sequence: syn ? SEQUENCE : SEQUENCE + 1,
      acknowledgement: sequenceAdd(tcp.sequence, 1),
      flags: syn ? SYN | ACK : FIN | ACK,
      window: WINDOW_FIELD,
      options: {
        ...(syn ? { mss: 1460 } : {}),
        ...(timestamp ? { timestamp: { value: Math.floor(performance.now()), echo: timestamp.value } } : {}),
      },
      payload: Buffer.alloc(0),
    });
  });
  return { connections: () => connections, stop };
}
