/** The messages that a DHCP client sends (RFC 2131, 4.4.1, table 5). */
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { LIMITED_BROADCAST, networkInterface } from "./interface";
import { outgoing, udpOutput } from "./socket/udp";
import {
  DHCP_CLIENT_PORT,
  DHCP_HEADER,
  DHCP_OPTION_CLIENT_ID,
  DHCP_OPTION_DNS,
  DHCP_OPTION_END,
  DHCP_OPTION_LEASE,
  DHCP_OPTION_MAX_SIZE,
  DHCP_OPTION_NETMASK,
  DHCP_OPTION_PARAMETERS,
  DHCP_OPTION_REQUESTED,
  DHCP_OPTION_ROUTER,
  DHCP_OPTION_SERVER,
  DHCP_OPTION_T1,
  DHCP_OPTION_T2,
  DHCP_OPTION_TYPE,
  DHCP_SERVER_PORT,
  DhcpMessage,
} from "./wire/dhcp";

/** Least size of a BOOTP message, which some servers and relays insist on (RFC 1542, 2.1). */
const BOOTP_MINIMUM: u32 = 300;
const MAX_SIZE: u32 = 1500;
const HARDWARE_ETHERNET: u8 = 1;

/**
 * Sends a message of `type`. `requested`, `server`: the options of these names, 0 for none. `destination`: 0 for a broadcast. Lost
 * when there is no buffer or no link: it will be sent again.
 */
export function sendDhcp(
  type: u32,
  xid: u32,
  seconds: u32,
  requested: u32,
  server: u32,
  destination: u32,
): void {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) {
    networkCounters().ipNoBuffer++;
    return;
  }
  const networkInterface_ = networkInterface();
  const device = networkInterface_.device;
  const own = networkInterface_.address;
  const message = changetype<DhcpMessage>(buffer.data);
  memory.fill(buffer.data, 0, BOOTP_MINIMUM + 64);
  message.formatRequest(xid, seconds, device.address0, device.address4);
  // With an address we can receive unicast; without one only broadcasts.
  if (own != 0) message.clientAddress = own;
  else message.askBroadcast();

  let end = buffer.data + DHCP_HEADER;
  end = option(end, DHCP_OPTION_TYPE, 1);
  store<u8>(end - 1, <u8>type);
  end = option(end, DHCP_OPTION_CLIENT_ID, 7);
  store<u8>(end - 7, HARDWARE_ETHERNET);
  store<u32>(end - 6, device.address0);
  store<u16>(end - 2, device.address4);
  if (requested != 0) {
    end = option(end, DHCP_OPTION_REQUESTED, 4);
    store<u32>(end - 4, bswap<u32>(requested));
  }
  if (server != 0) {
    end = option(end, DHCP_OPTION_SERVER, 4);
    store<u32>(end - 4, bswap<u32>(server));
  }
  end = option(end, DHCP_OPTION_MAX_SIZE, 2);
  store<u16>(end - 2, bswap<u16>(<u16>MAX_SIZE));
  end = option(end, DHCP_OPTION_PARAMETERS, 6);
  store<u8>(end - 6, <u8>DHCP_OPTION_NETMASK);
  store<u8>(end - 5, <u8>DHCP_OPTION_ROUTER);
  store<u8>(end - 4, <u8>DHCP_OPTION_DNS);
  store<u8>(end - 3, <u8>DHCP_OPTION_LEASE);
  store<u8>(end - 2, <u8>DHCP_OPTION_T1);
  store<u8>(end - 1, <u8>DHCP_OPTION_T2);
  store<u8>(end, <u8>DHCP_OPTION_END);
  const length = <u32>(end + 1 - buffer.data);
  buffer.length = length < BOOTP_MINIMUM ? BOOTP_MINIMUM : length;

  const to = destination != 0 ? destination : LIMITED_BROADCAST;
  outgoing.local.setIpv4(own, DHCP_CLIENT_PORT);
  outgoing.remote.setIpv4(to, DHCP_SERVER_PORT);
  udpOutput(buffer, outgoing);
  releaseBuffer(buffer);
}

/** Writes code and length; returns the end of the option's value, which the caller writes in front of it. */
function option(address: usize, code: u32, size: u32): usize {
  store<u8>(address, <u8>code);
  store<u8>(address, <u8>size, 1);
  return address + 2 + size;
}
