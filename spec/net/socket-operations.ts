/** The operations of a socket's protocol (net/socket/socket.ts), called as the system calls do it. Results as there: 0, bytes, or a negative errno. */
import { Socket } from "../../net/socket/socket";
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
export function peek(s: Socket): usize {
  return call_indirect<usize>(s.protocol.peek, s);
}
export function peekLength(s: Socket): i32 {
  return call_indirect<i32>(s.protocol.peekLength, s);
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
