/** TCP over IPv6 for specs: a server at port 80 of the stack, and segments from port 9 of the peer. */
import { pollLevel, runPolls } from "../../kernel/interrupts/polls";
import { networkFlush } from "../../net/interface";
import { Socket } from "../../net/socket/socket";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { initializeTcp, tcpCreate } from "../../net/socket/tcp/tcp";
import { TCP_ACK, TCP_SYN, TcpHeader } from "../../net/wire/tcp";
import { deliver } from "./frames";
import { address6, boot6, checksum6, forgetSent, ipv6, knowPeer, sent, TRANSPORT6 } from "./frames6";

const TCP: u32 = 6;
const CHECKSUM: u32 = 16;

export let server: Socket = changetype<Socket>(0);

export function create(): Socket {
  const socket = tcpCreate()!;
  socket.setFamily6();
  return socket;
}

export function bind(s: Socket, port: u32): i32 {
  return call_indirect<i32>(s.protocol.bind, s, address6(0, 0, port));
}

/** A new stack with the server. */
export function bootServer(): void {
  boot6();
  knowPeer();
  assert(initializeTcp(64, 64));
  server = create();
  assert(bind(server, 80) == 0);
  assert(call_indirect<i32>(server.protocol.listen, server, 5) == 0);
  forgetSent();
}

/** A segment without payload, and with no options but `mss` (0: neither); its addresses are those of the peer and of the stack, unless `from` and `to` say otherwise before `go`. */
export function segment(flags: u32, sequence: u32, acknowledgement: u32, mss: u32 = 0): void {
  const length: u32 = mss == 0 ? 20 : 24;
  ipv6(TCP, length);
  const header = changetype<TcpHeader>(TRANSPORT6);
  header.sourcePort = 9;
  header.destinationPort = 80;
  header.sequence = sequence;
  header.acknowledgement = acknowledgement;
  header.setLengthAndFlags(length, flags);
  header.window = 60000;
  header.urgent = 0;
  if (mss != 0) store<u32>(TRANSPORT6, bswap<u32>(0x0204_0000 | mss), 20);
}

export function go(): void {
  checksum6(TCP, CHECKSUM);
  deliver();
  takeTurns();
}

/** What has been left to be sent is. */
export function takeTurns(): void {
  networkFlush();
  while (pollLevel >= 0) {
    runPolls();
    networkFlush();
  }
}

/** A connection of the peer's to the server, with sequence number 101 next; the accepted socket. */
export function open(mss: u32 = 0): TcpConnection {
  segment(TCP_SYN, 100, 0, mss);
  go();
  assert(sent.length == 1);
  const answer = changetype<TcpHeader>(sent[0].transport);
  assert(answer.acknowledgement == 101);
  segment(TCP_ACK, 101, answer.sequence + 1);
  go();
  forgetSent();
  return changetype<TcpConnection>(call_indirect<Socket | null>(server.protocol.accept, server)!);
}
