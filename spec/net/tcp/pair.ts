/** What specs of one connection have in common: PEER opens it to a server of the stack, and after each test nothing is left of either. */
import { Socket } from "../../../net/socket/socket";
import { abort_, close, consume, peek, peekLength, taken } from "./ends";
import { establish, heard, peerOctet, setOptions } from "./script";
import { calm, leftOver, settleWorld } from "./world";

let port: u32 = 25000;

/** A connection of PEER's, from a port of its own, to `server`: with MSS `mss`, no other options, and window field `window`. The accepted socket. */
export function openPair(server: Socket, window: u32, mss: u32): Socket {
  setOptions(mss, 255, 0);
  const s = establish(server, ++port, window);
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
  settleWorld();
  taken();
  expect(leftOver()).toBe("");
}
