/** The operations of a socket's protocol (net/socket/socket.ts), called as the system calls do it. Results as there: 0, bytes, or a negative errno. */
import { SOCK_DGRAM, Socket } from "../../net/socket/socket";
import { endpoint } from "./addresses";

export function bind(s: Socket, address: u32, port: u32): i32 {
  return call_indirect<i32>(s.protocol.bind, s, endpoint(address, port));
}
export function listen(s: Socket, backlog: i32): i32 {
  return call_indirect<i32>(s.protocol.listen, s, backlog);
}
export function accept(s: Socket): Socket | null {
  return call_indirect<Socket | null>(s.protocol.accept, s);
}
export function connect(s: Socket, address: u32, port: u32): i32 {
  return call_indirect<i32>(s.protocol.connect, s, endpoint(address, port));
}
export function poll(s: Socket): u32 {
  return call_indirect<u32>(s.protocol.poll, s);
}
/** Where the next received bytes stand; 0: there are none. */
export function peek(s: Socket): usize {
  const head = s.received.head;
  return head === null ? 0 : head.data;
}
/** How many of them stand together, a whole datagram if it is one, or why there are none. */
export function peekLength(s: Socket): i32 {
  const head = s.received.head;
  if (head === null) return call_indirect<i32>(s.protocol.end, s);
  return <i32>(s.type == SOCK_DGRAM ? head.wholeLength : head.length);
}
/** `bytes`: of a stream; a datagram goes as a whole. */
export function consume(s: Socket, bytes: u32 = 0): void {
  call_indirect<void>(s.protocol.consume, s, bytes);
}
export function shutdown(s: Socket, how: i32): i32 {
  return call_indirect<i32>(s.protocol.shutdown, s, how);
}
export function close(s: Socket): void {
  call_indirect<void>(s.protocol.close, s);
}
export function abort_(s: Socket): void {
  call_indirect<void>(s.protocol.abort, s);
}
