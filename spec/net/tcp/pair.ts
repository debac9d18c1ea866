/**
 * What specs of one connection have in common: PEER opens it to a server of the stack, and after each test nothing is left of either.
 *
 *     beforeAll(meetPeer);
 *     beforeEach(beginPair);
 *     afterEach(endOfPair);
 */
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { abort_, close, consume, listener, peek, peekLength, taken } from "./ends";
import { establish, heard, peerOctet, setOptions } from "./script";
import { calm, leftOver, settleWorld } from "./world";

let port: u32 = 25000;
/** The listener at port 80 that each test finds. */
export let server: Socket = changetype<Socket>(0);
/** The socket that the test is about, as `open` or `keep` has said; null when there is none. */
export let s: Socket = changetype<Socket>(0);

/** A port of PEER's that no connection has had yet. */
export function newPort(): u32 {
  return ++port;
}

/** Before each test. */
export function beginPair(): void {
  server = listener(80, 5);
  forget();
}

/** After each test. */
export function endOfPair(): void {
  endPair(server, s);
}

/** `socket` is `s` from now on, and is reset when the test is over. */
export function keep(socket: Socket): void {
  s = socket;
}

/** The test has closed `s` itself. */
export function forget(): void {
  s = changetype<Socket>(0);
}

/** A connection of PEER's to `at`, which is `s` from now on; see openPair. */
export function open(window: u32 = 60000, mss: u32 = 1000, at: Socket = server): TcpConnection {
  s = openPair(at, window, mss);
  return changetype<TcpConnection>(s);
}

/** A connection of PEER's, from a port of its own, to `server`: with MSS `mss`, no other options, and window field `window`. The accepted socket. */
export function openPair(server: Socket, window: u32, mss: u32): Socket {
  setOptions(mss, 255, 0);
  const s = establish(server, newPort(), window);
  heard();
  taken();
  return s;
}

/** Reads all that `s` has received, and checks it against PEER's stream from `position` on: how much it was. */
export function readStream(s: Socket, position: u32): u32 {
  let done: u32 = 0;
  for (let data = peek(s); data != 0; data = peek(s)) {
    const length: u32 = peekLength(s);
    assert(length != 0, "an empty buffer in the queue");
    for (let i: u32 = 0; i < length; i++)
      assert(load<u8>(data + i) == peerOctet(position + done + i), "wrong octet");
    consume(s, length);
    done += length;
  }
  return done;
}

/** `s` (null: there is none) and the server end, five minutes pass, and all that was taken has been given back. */
export function endPair(server: Socket, s: Socket): void {
  calm();
  if (changetype<usize>(s) != 0) abort_(s);
  close(server);
  heard();
  expectNothingLeft();
}

/** Five minutes pass, and all that was taken has been given back. */
export function expectNothingLeft(): void {
  settleWorld();
  taken();
  expect(leftOver()).toBe("");
}
