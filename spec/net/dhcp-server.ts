/** A DHCP server that does what the spec tells it, and makes messages good and bad in the scratch frame. */
import { now } from "../../kernel/time/clock";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { ArpPacket } from "../../net/wire/arp";
import { DhcpMessage } from "../../net/wire/dhcp";
import { BROADCAST0, BROADCAST4, EthernetHeader, ETHERTYPE_ARP } from "../../net/wire/ethernet";
import { Ipv4Header } from "../../net/wire/ipv4";
import { UdpHeader } from "../../net/wire/udp";
import * as frames from "./frames";
import { FRAME, TRANSPORT } from "./frames";
import * as link from "./link";
import { OWN0, OWN4 } from "./link";
import { pseudoHeaderSum } from "./addresses";

export const SERVER: u32 = 0x0a00_0202;
export const OFFERED: u32 = 0x0a00_020f;
export const MESSAGE: usize = TRANSPORT + 8;
export const OPTIONS: usize = MESSAGE + 240;

/** What the client sent last, and what the server does. */
export class Script {
  sentType: u32 = 0;
  sentXid: u32 = 0;
  sentSource: u32 = 0;
  sentDestination: u32 = 0;
  sentClient: u32 = 0;
  sentRequested: u32 = 0;
  sentServer: u32 = 0;
  sentBroadcast: bool = false;
  sentSeconds: u32 = 0;
  messages: u32 = 0;
  /** Messages of the client that are malformed. */
  bad: u32 = 0;
  times: u64[] = [];
  announcements: u32 = 0;
  /** Types that are answered: bit 1 DISCOVER, bit 3 REQUEST; bit 6: a REQUEST is refused. */
  answers: u32 = 0;
  lease: u32 = 3600;
  t1: u32 = 0;
  t2: u32 = 0;
  netmask: u32 = 0xffff_ff00;
  router: u32 = SERVER;
  /** Where the next option goes. */
  end: usize = 0;
  unicast: bool = false;
}

export const script = new Script();

export function server(frame: usize, length: u32): void {
  if (changetype<EthernetHeader>(frame).type == ETHERTYPE_ARP) {
    const packet = changetype<ArpPacket>(frame + 14);
    if (packet.senderAddress == packet.targetAddress) script.announcements++;
    else link.mirrorHook(frame, length);
    return;
  }
  const ip = changetype<Ipv4Header>(frame + 14);
  const udp = changetype<UdpHeader>(frame + 34);
  const sum = pseudoHeaderSum(ip.source, ip.destination, 17, udp.length);
  if (
    ip.protocol != 17 ||
    udp.sourcePort != 68 ||
    udp.destinationPort != 67 ||
    length < 42 + 300 ||
    udp.length != length - 34 ||
    checksumFold(checksumAdd(frame + 34, udp.length, sum)) != 0xffff
  ) {
    script.bad++;
    return;
  }
  const message = changetype<DhcpMessage>(frame + 42);
  if (load<u32>(frame + 42) != 0x0006_0101 || message.hardware0 != OWN0 || message.hardware4 != OWN4)
    script.bad++;
  assert(++script.messages < 10_000, "the client sends and sends");
  script.times.push(now());
  script.sentXid = message.xid;
  script.sentSource = ip.source;
  script.sentDestination = ip.destination;
  script.sentClient = message.clientAddress;
  script.sentSeconds = bswap<u16>(load<u16>(frame + 42, 8));
  script.sentBroadcast = load<u8>(frame + 42, 10) == 0x80;
  script.sentType = script.sentRequested = script.sentServer = 0;
  for (let p = frame + 42 + 240; ;) {
    if (p >= frame + length) {
      script.bad++;
      break;
    }
    const code = load<u8>(p);
    if (code == 255) break;
    if (code == 0) {
      p++;
      continue;
    }
    if (code == 53) script.sentType = load<u8>(p, 2);
    if (code == 50) script.sentRequested = bswap<u32>(load<u32>(p, 2));
    if (code == 54) script.sentServer = bswap<u32>(load<u32>(p, 2));
    p += 2 + load<u8>(p, 1);
  }
  if (((script.answers >> script.sentType) & 1) == 0) return;
  if (script.sentType == 1) offer(2);
  else if ((script.answers & 64) != 0) offer(6);
  else offer(5);
  link.inject(FRAME, frames.frameLength);
}

export function put8(value: u32): void {
  store<u8>(script.end++, <u8>value);
}
export function putOption(code: u32, value: u32): void {
  put8(code);
  put8(4);
  store<u32>(script.end, bswap<u32>(value));
  script.end += 4;
}

/** Begins a message to the client in the scratch frame; `finish` ends  */
export function begin(type: u32): void {
  memory.fill(MESSAGE, 0, 600);
  const message = changetype<DhcpMessage>(MESSAGE);
  message.formatRequest(script.sentXid, 0, OWN0, OWN4);
  store<u8>(MESSAGE, 2);
  store<u32>(MESSAGE + 16, bswap<u32>(OFFERED));
  script.end = OPTIONS;
  put8(53);
  put8(1);
  put8(type);
}

export function finish(): void {
  const length = <u32>(script.end - TRANSPORT);
  const to = script.unicast ? OFFERED : 0xffff_ffff;
  frames.ipv4(SERVER, to, 17, length);
  if (!script.unicast) changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
  const header = changetype<UdpHeader>(TRANSPORT);
  header.sourcePort = 67;
  header.destinationPort = 68;
  header.length = length;
  frames.udpChecksum(SERVER, to, length);
}

/** A whole message: OFFER 2, ACK 5, NAK 6. */
export function offer(type: u32): void {
  begin(type);
  putOption(54, SERVER);
  if (type != 6) {
    putOption(51, script.lease);
    if (script.netmask != 0) putOption(1, script.netmask);
    if (script.router != 0) putOption(3, script.router);
    if (script.t1 != 0) putOption(58, script.t1);
    if (script.t2 != 0) putOption(59, script.t2);
  }
  put8(255);
  finish();
}
