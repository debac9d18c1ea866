/** Options of UDP sockets beside those of all (options-socket.ts): the size of the receive queue, and what it had no room for. */
import { answer, defineOption, OF_DATAGRAMS, OWN_OPTIONS, SO_RCVBUF, SOL_SOCKET } from "./options";
import { Socket } from "./socket";
import { setUdpReceiveLimit } from "./udp-calls";
import { UdpSocket } from "./udp-socket";

const SO_DROPS: u32 = OWN_OPTIONS + 4;

/** Once at boot. */
export function defineUdpOptions(): void {
  defineOption(SOL_SOCKET, SO_RCVBUF, OF_DATAGRAMS, getReceiveBuffer.index, setReceiveBuffer.index);
  defineOption(SOL_SOCKET, SO_DROPS, OF_DATAGRAMS, getDrops.index, 0);
}

function getReceiveBuffer(socket: Socket, place: usize): i32 {
  return answer(place, changetype<UdpSocket>(socket).receiveLimit);
}

/** What waits already stays. */
function setReceiveBuffer(socket: Socket, place: usize): i32 {
  setUdpReceiveLimit(changetype<UdpSocket>(socket), load<u32>(place));
  return 0;
}

/** Since the socket was made; what is no positive i32 any more stays at the greatest. */
function getDrops(socket: Socket, place: usize): i32 {
  return answer(place, <u32>min<u64>(changetype<UdpSocket>(socket).drops, i32.MAX_VALUE));
}
