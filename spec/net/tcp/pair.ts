/** What specs of one connection have in common: PEER opens it to a server of the stack, and after each test nothing is left of either. */
import { Socket } from "../../../net/socket/socket";
import { abort_, close, taken } from "./ends";
import { establish, heard, setOptions } from "./script";
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
