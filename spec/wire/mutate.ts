/**
 * Malformed frames: valid ones of every protocol with bytes changed, cut, extended or with lengths that lie. Half of them get
 * right checksums afterwards, so that the lie is found by the check it is meant for and not by the checksum.
 */
import { ARP_REQUEST, BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, encodeArp, encodeEthernet } from "./frame.ts";
import {
  ICMP_ECHO,
  ICMP_UNREACHABLE,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  encodeIcmp,
  encodeIpv4,
  encodeUdp,
  fold,
  pseudoSum,
  sum16,
} from "./ipv4.ts";
import { ACK, FIN, RST, SYN, URG, encodeTcp } from "./tcp.ts";
import { generator } from "./link.ts";

export interface MutationOptions {
  seed: number;
  count: number;
  /** Ours, and the guest's. */
  mac: string;
  guestMac: string;
  source: number;
  guest: number;
}

/** Valid frames, one of each kind. */
function originals(options: MutationOptions): Buffer[] {
  const { source, guest } = options;
  const frame = (payload: Buffer, type = ETHERTYPE_IPV4, destination = options.guestMac): Buffer =>
    encodeEthernet({ destination, source: options.mac, type, payload });
  const packet = (protocol: number, payload: Buffer, extra = {}): Buffer =>
    frame(encodeIpv4({ source, destination: guest, protocol, payload, ...extra }));
  const segment = (flags: number, port: number, payload: Buffer, tcpOptions = {}): Buffer => {
    const numbers = {
      sourcePort: 50001,
      destinationPort: port,
      sequence: 1000,
      acknowledgement: 77,
      window: 4096,
    };
    return packet(
      PROTOCOL_TCP,
      encodeTcp(source, guest, { ...numbers, flags, options: tcpOptions, payload }),
    );
  };
  const udp = (port: number, payload: Buffer): Buffer =>
    encodeUdp(source, guest, { sourcePort: 50002, destinationPort: port, payload });
  const arp = {
    operation: ARP_REQUEST,
    senderMac: options.mac,
    senderAddress: source,
    targetMac: "00:00:00:00:00:00",
  };
  const echo = encodeIcmp({
    type: ICMP_ECHO,
    code: 0,
    identifier: 1,
    sequence: 1,
    payload: Buffer.alloc(40, 1),
  });
  const error = { type: ICMP_UNREACHABLE, code: 3, identifier: 0, sequence: 0 };
  const quoted = encodeIpv4({
    source: guest,
    destination: source,
    protocol: PROTOCOL_TCP,
    payload: Buffer.alloc(28, 7),
  });
  const dhcp = Buffer.alloc(300);
  dhcp.set([2, 1, 6]);
  dhcp.writeUInt32BE(0x63825363, 236);
  dhcp.set([53, 1, 5, 255], 240);
  const all = { mss: 1460, windowScale: 7, sackPermitted: true, timestamp: { value: 1, echo: 0 } };
  return [
    frame(encodeArp({ ...arp, targetAddress: guest }), ETHERTYPE_ARP, BROADCAST),
    packet(PROTOCOL_ICMP, echo),
    packet(PROTOCOL_ICMP, encodeIcmp({ ...error, payload: quoted })),
    packet(PROTOCOL_UDP, udp(7, Buffer.alloc(100, 2))),
    packet(PROTOCOL_UDP, udp(68, dhcp)),
    packet(PROTOCOL_UDP, udp(7, Buffer.alloc(64, 3)), { options: Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) }),
    packet(PROTOCOL_UDP, udp(7, Buffer.alloc(800, 4)), { fragment: 0x2000 }),
    packet(PROTOCOL_UDP, Buffer.alloc(160, 5), { fragment: 0x0065 }),
    segment(SYN, 80, Buffer.alloc(0), all),
    segment(SYN | FIN, 80, Buffer.from("data")),
    segment(ACK, 80, Buffer.from("GET / HTTP/1.1\r\n\r\n"), { timestamp: { value: 1, echo: 1 } }),
    segment(ACK | URG, 7, Buffer.alloc(300, 6), { sack: [[1, 2]] }),
    segment(RST, 7, Buffer.alloc(0)),
    packet(132, Buffer.alloc(64, 8)),
    frame(Buffer.alloc(64, 9), 0x86dd),
  ];
}

/** Puts right checksums into what still looks like an IPv4 packet. */
function repair(frame: Buffer): void {
  if (frame.length < 34 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return;
  const header = ((frame[14] as number) & 15) * 4;
  if (header < 20 || 14 + header > frame.length) return;
  frame.writeUInt16BE(0, 24);
  frame.writeUInt16BE(fold(sum16(frame.subarray(14, 14 + header))), 24);
  const end = Math.min(frame.length, 14 + Math.max(header, frame.readUInt16BE(16)));
  const body = frame.subarray(14 + header, end);
  const protocol = frame[23] as number;
  const at = { [PROTOCOL_ICMP]: 2, [PROTOCOL_UDP]: 6, [PROTOCOL_TCP]: 16 }[protocol];
  if (at === undefined || body.length < at + 2) return;
  body.writeUInt16BE(0, at);
  const pseudo = pseudoSum(frame.readUInt32BE(26), frame.readUInt32BE(30), protocol, body.length);
  body.writeUInt16BE(fold(sum16(body, protocol === PROTOCOL_ICMP ? 0 : pseudo)), at);
}

/** Changes `frame` in one to four places or lengths. */
function mutate(original: Buffer, random: () => number): Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  let frame = Buffer.from(original);
  const times = 1 + below(4);
  for (let i = 0; i < times; i++) {
    // Headers are where the checks are: most changes go there. The MAC addresses stay.
    const at = 12 + below(Math.max(1, Math.min(frame.length - 12, random() < 0.8 ? 64 : 2000)));
    switch (below(6)) {
      case 0:
        if (at < frame.length) frame[at] = (frame[at] as number) ^ (1 << below(8));
        break;
      case 1:
        if (at < frame.length) frame[at] = [0, 1, 0x7f, 0x80, 0xff, below(256)][below(6)] as number;
        break;
      case 2:
        frame = frame.subarray(0, Math.max(1, below(frame.length + 1)));
        break;
      case 3:
        frame = Buffer.concat([frame, Buffer.alloc(below(200), below(256))]);
        break;
      case 4:
        // Lengths that lie: of the IP header, of the packet, of the UDP datagram, of the TCP header.
        if (frame.length >= 48) frame[[14, 16, 17, 38, 39, 46][below(6)] as number] = below(256);
        break;
      default:
        if (at + 4 <= frame.length)
          frame.writeUInt32BE([0, 0xffffffff, 0x7fffffff, 0x80000000][below(4)] as number, at);
    }
  }
  if (random() < 0.5) repair(frame);
  return frame;
}

/** `count` frames, reproducible by `seed`. */
export function* mutations(options: MutationOptions): Generator<Buffer> {
  const random = generator(options.seed);
  const valid = originals(options);
  for (let i = 0; i < options.count; i++) {
    yield mutate(valid[Math.floor(random() * valid.length)] as Buffer, random);
  }
}
