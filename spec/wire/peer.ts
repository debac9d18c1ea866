/**
 * A host at the other end of the wire, made of frames: answers ARP, pings, sends and receives UDP, and hands TCP segments
 * to whoever has asked for them (client.ts, scenario.ts, or a test of its own through `subscribe`).
 *
 * It is also the gateway: it answers ARP for every address of its subnet but the guest's, so a guest's replies to
 * addresses that do not exist (a flood from forged sources) go to it and are ignored.
 */
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  BROADCAST,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  type EthernetFrame,
  address,
  addressText,
  decodeArp,
  decodeEthernet,
  encodeArp,
  encodeEthernet,
} from "./frame.ts";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  type IcmpMessage,
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  type UdpDatagram,
  decodeIcmp,
  decodeIpv4,
  decodeUdp,
  encodeIcmp,
  encodeIpv4,
  encodeUdp,
} from "./ipv4.ts";
import { type TcpSegment, decodeTcp, encodeTcp, segmentText } from "./tcp.ts";
import { Wire } from "./wire.ts";
import { PATIENCE } from "./patience.ts";

/** A frame with whatever could be decoded of it. */
export interface Received {
  frame: EthernetFrame;
  arp?: ArpPacket | undefined;
  ip?: Ipv4Packet | undefined;
  icmp?: IcmpMessage | undefined;
  udp?: UdpDatagram | undefined;
  tcp?: TcpSegment | undefined;
}

export interface PeerOptions {
  /** On a wire where frames wait for room in the guest, and are not lost. */
  lossless?: boolean;
  mac?: string;
  /** The peer's own address. */
  address?: string;
  netmask?: string;
  /** The guest's address: the peer never answers ARP for it. */
  guest?: string;
}

function decode(bytes: Buffer): Received | undefined {
  const frame = decodeEthernet(bytes);
  if (!frame) return undefined;
  if (frame.type === ETHERTYPE_ARP) return { frame, arp: decodeArp(frame.payload) };
  const ip = frame.type === ETHERTYPE_IPV4 ? decodeIpv4(frame.payload) : undefined;
  if (!ip || (ip.fragment ?? 0) & 0x3fff) return { frame, ip };
  switch (ip.protocol) {
    case PROTOCOL_ICMP:
      return { frame, ip, icmp: decodeIcmp(ip.payload) };
    case PROTOCOL_UDP:
      return { frame, ip, udp: decodeUdp(ip.source, ip.destination, ip.payload) };
    case PROTOCOL_TCP:
      return { frame, ip, tcp: decodeTcp(ip.source, ip.destination, ip.payload) };
    default:
      return { frame, ip };
  }
}

/** A received frame in one line, for messages of failed tests. */
export function describe(received: Received): string {
  const { frame, arp, ip, icmp, udp, tcp } = received;
  if (arp) {
    const sender = `${addressText(arp.senderAddress)} (${arp.senderMac})`;
    return `ARP ${arp.operation === ARP_REQUEST ? "who-has" : "reply"} ${addressText(arp.targetAddress)} from ${sender}`;
  }
  if (!ip)
    return `ethertype 0x${frame.type.toString(16)}, ${frame.payload.length} bytes from ${frame.source}`;
  const route = `${addressText(ip.source)} > ${addressText(ip.destination)}`;
  if (icmp) return `${route} ICMP type ${icmp.type} code ${icmp.code}, ${icmp.payload.length} bytes`;
  if (udp) return `${route} UDP ${udp.sourcePort} > ${udp.destinationPort}, ${udp.payload.length} bytes`;
  if (tcp) return `${route} TCP ${segmentText(tcp)}`;
  return `${route} protocol ${ip.protocol}, ${ip.payload.length} bytes`;
}

export class Peer {
  readonly mac: string;
  readonly address: number;
  readonly netmask: number;
  guest: number;
  private readonly last: Received[] = [];
  /** Off: answers no ARP request, as if the cable were cut in one direction. */
  answersArp = true;
  private readonly neighbours = new Map<number, string>();
  private readonly listeners = new Set<(received: Received) => void>();
  private nextPort = 20000 + Math.floor(Math.random() * 20000);
  private pings = 0;

  constructor(
    readonly wire: Wire,
    options: PeerOptions = {},
  ) {
    this.mac = options.mac ?? "02:00:00:00:00:02";
    this.address = address(options.address ?? "10.0.2.2");
    this.netmask = address(options.netmask ?? "255.255.255.0");
    this.guest = address(options.guest ?? "10.0.2.15");
    wire.onFrame = (bytes) => this.input(bytes);
  }

  /** A peer on a new wire. */
  static async open(options: PeerOptions = {}): Promise<Peer> {
    return new Peer(await (options.lossless ? Wire.openStream() : Wire.open()), options);
  }

  close(): void {
    this.listeners.clear();
    this.wire.close();
  }

  /** The last 30 frames received, newest last, each in one line. */
  recent(): string {
    return this.last.map(describe).join("\n  ") || "no frame";
  }

  /** Calls `listener` with each frame; returns how to stop that. */
  subscribe(listener: (received: Received) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The first frame from now on for which `pick` returns something; rejects after `ms` with what was seen instead. */
  waitFor<T>(what: string, ms: number, pick: (received: Received) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const seen: string[] = [];
      const stop = this.subscribe((received) => {
        const picked = pick(received);
        if (picked === undefined) {
          if (seen.length < 20) seen.push(describe(received));
          return;
        }
        clearTimeout(timer);
        stop();
        resolve(picked);
      });
      const timer = setTimeout(() => {
        stop();
        reject(
          new Error(`${what}: nothing within ${ms} ms; seen instead:\n  ${seen.join("\n  ") || "no frame"}`),
        );
      }, ms);
    });
  }

  /**
   * The first for which `pick` returns something, of the frames until `last` is over: a question behind what `send` sends, whose answer comes after that to it. undefined: there
   * was none. What is asked has to go the way of what was sent: a ping for what the network answers, a datagram for what an application does.
   */
  async answerTo<T>(
    send: () => void,
    pick: (received: Received) => T | undefined,
    last: () => Promise<unknown> = () => this.ping(),
  ): Promise<T | undefined> {
    let picked: T | undefined;
    const stop = this.subscribe((received) => {
      picked ??= pick(received);
    });
    try {
      send();
      await last();
    } finally {
      stop();
    }
    return picked;
  }

  /** A local port that was not used lately. */
  port(): number {
    this.nextPort = this.nextPort >= 60000 ? 20000 : this.nextPort + 1;
    return this.nextPort;
  }

  /** The MAC address of a neighbour, by ARP unless it is known. */
  async resolve(target = this.guest, ms = PATIENCE): Promise<string> {
    const known = this.neighbours.get(target);
    if (known) return known;
    const deadline = Date.now() + ms;
    for (;;) {
      const answer = this.waitFor(`ARP reply of ${addressText(target)}`, Math.min(500, ms), ({ arp }) =>
        arp?.operation === ARP_REPLY && arp.senderAddress === target ? arp.senderMac : undefined,
      );
      this.sendArp(
        { operation: ARP_REQUEST, targetMac: "00:00:00:00:00:00", targetAddress: target },
        BROADCAST,
      );
      try {
        return await answer;
      } catch (error) {
        if (Date.now() >= deadline) throw error;
      }
    }
  }

  /** The MAC address of a neighbour that `resolve` has found. */
  macOf(target: number): string {
    const mac = this.neighbours.get(target);
    if (!mac) throw new Error(`no MAC address known for ${addressText(target)}: call resolve() first`);
    return mac;
  }

  sendArp(
    packet: Pick<ArpPacket, "operation" | "targetMac" | "targetAddress"> & Partial<ArpPacket>,
    to: string,
  ): void {
    const payload = encodeArp({ senderMac: this.mac, senderAddress: this.address, ...packet });
    this.wire.send(encodeEthernet({ destination: to, source: this.mac, type: ETHERTYPE_ARP, payload }));
  }

  /** Sends a packet; source and destination are the peer's and the guest's unless given. The neighbour must be known: `resolve`. */
  sendIpv4(packet: Pick<Ipv4Packet, "protocol" | "payload"> & Partial<Ipv4Packet>): void {
    const full = { source: this.address, destination: this.guest, ...packet };
    const broadcast =
      full.destination === 0xffffffff || full.destination === (this.guest | ~this.netmask) >>> 0;
    const destination = broadcast ? BROADCAST : this.macOf(full.destination);
    this.wire.send(
      encodeEthernet({ destination, source: this.mac, type: ETHERTYPE_IPV4, payload: encodeIpv4(full) }),
    );
  }

  /** Sends a packet to a MAC address, whatever its IPv4 destination. */
  sendRaw(destination: string, packet: Ipv4Packet): void {
    const payload = encodeIpv4(packet);
    this.wire.send(encodeEthernet({ destination, source: this.mac, type: ETHERTYPE_IPV4, payload }));
  }

  sendUdp(datagram: UdpDatagram, destination = this.guest, source = this.address): void {
    const payload = encodeUdp(source, destination, datagram);
    this.sendIpv4({ protocol: PROTOCOL_UDP, source, destination, payload });
  }

  sendTcp(segment: TcpSegment, destination = this.guest, source = this.address): void {
    const payload = encodeTcp(source, destination, segment);
    this.sendIpv4({ protocol: PROTOCOL_TCP, source, destination, payload });
  }

  /** Echo request and its reply: round trip in milliseconds. Rejects when no matching reply comes. */
  async ping(payload: Buffer = Buffer.from("aemos ping"), ms = PATIENCE): Promise<number> {
    await this.resolve();
    this.pings += 1;
    const identifier = 0xae00;
    const sequence = this.pings & 0xffff;
    const start = performance.now();
    const reply = this.waitFor(`echo reply ${sequence}`, ms, ({ icmp, ip }) =>
      ip?.source === this.guest &&
      icmp?.type === ICMP_ECHO_REPLY &&
      icmp.identifier === identifier &&
      icmp.sequence === sequence
        ? icmp
        : undefined,
    );
    this.sendIpv4({
      protocol: PROTOCOL_ICMP,
      payload: encodeIcmp({ type: ICMP_ECHO, code: 0, identifier, sequence, payload }),
    });
    const answer = await reply;
    const took = performance.now() - start;
    if (!answer.checksumOk) throw new Error("echo reply with a wrong ICMP checksum");
    if (
      !answer.payload.subarray(0, payload.length).equals(payload) ||
      answer.payload.length !== payload.length
    ) {
      throw new Error(
        `echo reply carries ${answer.payload.length} bytes that are not the ${payload.length} sent`,
      );
    }
    return took;
  }

  /** Sends a datagram and returns the payload of the answer to it; sends again every 500 ms. */
  async askUdp(remotePort: number, payload: Buffer, ms = PATIENCE): Promise<Buffer> {
    await this.resolve();
    const localPort = this.port();
    const send = (): void => this.sendUdp({ sourcePort: localPort, destinationPort: remotePort, payload });
    const answer = this.waitFor(`UDP answer from port ${remotePort}`, ms, ({ udp }) =>
      udp?.destinationPort === localPort && udp.sourcePort === remotePort ? udp : undefined,
    );
    const again = setInterval(send, 500);
    send();
    try {
      const udp = await answer;
      if (!udp.checksumOk) throw new Error("UDP answer with a wrong checksum");
      return Buffer.from(udp.payload);
    } finally {
      clearInterval(again);
    }
  }

  private input(bytes: Buffer): void {
    const received = decode(bytes);
    if (!received) return;
    this.last.push(received);
    if (this.last.length > 30) this.last.shift();
    const { arp, ip, frame } = received;
    if (arp && arp.senderAddress !== 0) this.neighbours.set(arp.senderAddress, arp.senderMac);
    if (ip?.source && ip.source === this.guest) this.neighbours.set(ip.source, frame.source);
    if (arp?.operation === ARP_REQUEST && this.answersArp && this.owns(arp.targetAddress)) {
      const { senderMac: targetMac, senderAddress: targetAddress } = arp;
      this.sendArp(
        { operation: ARP_REPLY, senderAddress: arp.targetAddress, targetMac, targetAddress },
        targetMac,
      );
    }
    for (const listener of [...this.listeners]) listener(received);
  }

  private owns(target: number): boolean {
    if (target === this.guest) return false;
    return target === this.address || (target & this.netmask) === (this.address & this.netmask);
  }
}
