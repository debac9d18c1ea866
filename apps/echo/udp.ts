/** Echo over UDP: each datagram goes back to where it came from, from the block in which the kernel delivered it. */
import { AF_INET6, MSG_DONTWAIT, SOCKADDR6_SIZE, bindUdp, onRead, sendto, sockaddr_in6 } from "../../sdk";

const PORT: u32 = 7;

/** 0 or more, or a negative errno. */
export function startUdp(): i32 {
  const fd = bindUdp(PORT, AF_INET6);
  return fd < 0 ? fd : onRead(fd, datagram);
}

/**
 * Services that answer anything (RFC 862 to 868): with a forged source address, answering them would begin a volley that never
 * ends.
 */
function answersAnything(port: u32): bool {
  return port == 7 || port == 13 || port == 17 || port == 19 || port == 37;
}

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 0 || from == 0) return;
  if (answersAnything(changetype<sockaddr_in6>(from).port)) return;
  // No room to send: the datagram is lost, as datagrams may be.
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR6_SIZE);
}
