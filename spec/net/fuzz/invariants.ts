/** What holds at any time, whatever has come in: looked at now and then. */
import { bufferPool } from "../../../net/buffer";
import { neighbourCount } from "../../../net/neighbour-cache";
import { neighbourQueued } from "../../../net/neighbour-queue";
import { reassemblyHeld } from "../../../net/reassembly";
import { Socket } from "../../../net/socket/socket";
import { receiveLimit, TcpConnection } from "../../../net/socket/tcp/connection";
import { REASSEMBLY_LIMIT, SEND_BUFFERS } from "../../../net/socket/tcp/parameters";
import { requestPool } from "../../../net/socket/tcp/request";
import { REQUEST_LIMIT } from "../../../net/socket/tcp/tcp";
import { TCP_CLOSE, TCP_LISTEN } from "../../../net/socket/tcp/state";
import { udpQueued } from "../../../net/socket/udp-calls";
import { scoreboardFault } from "../tcp/scoreboard";
import { allConnections, allListeners } from "./application";

/** Traps at the first that does not hold. `buffers`, `datagrams`: the limits of the stack. */
export function checkAll(buffers: u32, datagrams: u32): void {
  assert(bufferPool().inUse <= buffers, "buffers");
  assert(udpQueued() <= datagrams, "datagrams that wait");
  assert(neighbourQueued() <= 64, "packets that wait for neighbours");
  let neighbours: u32 = 0;
  for (let i: u32 = 0; i < 3; i++) neighbours += neighbourCount(i);
  assert(neighbours <= 256, "neighbours");
  assert(reassemblyHeld() <= max<u32>(64, buffers / 16), "fragments");
  const all = allConnections();
  for (let i = 0; i < all.length; i++) checkConnection(changetype<TcpConnection>(all[i]));
  let requests: u32 = 0;
  const listeners = allListeners();
  for (let i = 0; i < listeners.length; i++) requests += checkListener(listeners[i]);
  for (let i = 0; i < all.length; i++)
    if (changetype<TcpConnection>(all[i]).state == TCP_LISTEN) requests += checkListener(all[i]);
  // Those of listeners that are gone go when their time comes.
  assert(requests <= requestPool().inUse && requestPool().inUse <= REQUEST_LIMIT, "half-open requests");
}

/** Its half-open requests. */
function checkListener(s: Socket): u32 {
  const listener = changetype<TcpConnection>(s).listener;
  if (listener === null) return 0;
  let waiting: u32 = 0;
  const queue = listener.acceptQueue;
  for (let link = queue.next; link !== queue; link = link.next) waiting++;
  assert(waiting == listener.acceptCount, "connections to be accepted");
  return listener.requestCount;
}

function checkConnection(c: TcpConnection): void {
  if (c.state == TCP_CLOSE || c.state == TCP_LISTEN) return;
  const fault = scoreboardFault(c);
  assert(fault == "", fault);
  assert(<i32>(c.SND_NXT - c.SND_UNA) >= 0 && <i32>(c.SND_MAX - c.SND_NXT) >= 0, "numbers of the send side");
  assert(<i32>(c.receiveEdge - c.RCV_NXT) >= 0, "a window that has shrunk");
  // A limit that SO_RCVBUF has lowered takes nothing back that was offered.
  assert(c.receiveEdge - c.RCV_NXT <= receiveLimit(), "a window beyond all bounds");
  // Segments are cut when they have to be smaller.
  assert(c.sendBuffers <= 4 * SEND_BUFFERS, "segments in the send queue");
  let waiting: u32 = 0;
  let buffer = c.reassemblyHead;
  while (buffer !== null) {
    waiting++;
    buffer = buffer.next;
  }
  assert(waiting <= REASSEMBLY_LIMIT, "segments out of order");
}
