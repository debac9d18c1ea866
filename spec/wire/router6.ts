/**
 * The IPv6 half of a frame peer: a router that advertises a prefix, answers for its own addresses, and pings.
 *
 * And it can be a translator between the versions (translator.ts). So everything that is made for IPv4 (client.ts, scenario.ts) speaks with the guest over
 * IPv6, and knows nothing of it.
 */
import { ETHERNET_HEADER, ETHERTYPE_IPV4, decodeEthernet, encodeEthernet } from "./frame.ts";
import { type Ipv4Packet, encodeIpv4 } from "./ipv4.ts";
import {
  ECHO_REPLY,
  ECHO_REQUEST,
  ETHERTYPE_IPV6,
  type Icmpv6Message,
  type Ipv6Packet,
  NA_OVERRIDE,
  NA_ROUTER,
  NA_SOLICITED,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  NEXT_ICMPV6,
  type Prefix,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  advertisementBody,
  decodeIcmpv6,
  decodeIpv6,
  encodeIcmpv6,
  encodeIpv6,
  groupMac,
  linkOption,
  neighbourBody,
  prefixOption,
  targetOf,
} from "./ipv6.ts";
import type { Peer } from "./peer.ts";
import { type Translation, Translator } from "./translator.ts";
import { PATIENCE } from "./patience.ts";

/** A packet that the guest has sent. */
export interface Seen {
  packet: Ipv6Packet;
  message: Icmpv6Message | undefined;
  /** Link address that the frame went to. */
  to: string;
}

export class Router6 {
  /** All that the guest has sent over IPv6, oldest first. */
  readonly seen: Seen[] = [];
  readonly linkLocal = "fe80::2";
  /** Addresses that it answers for. */
  readonly addresses = new Set(["fe80::2", "2001:db8:0:1::2"]);
  /** What it says when it is asked; undefined: nothing. */
  prefixes: readonly Prefix[] | undefined = [{ prefix: "2001:db8:0:1::" }];
  /** Called with each packet of the guest's; true: it goes no further. */
  intercept: (seen: Seen) => boolean = () => false;
  /** Of the guest. */
  guestMac = "";
  private translator: Translator | undefined;
  private readonly listeners = new Set<(seen: Seen) => void>();
  private pings = 0;

  constructor(private readonly peer: Peer) {
    const { wire } = peer;
    const input = wire.onFrame;
    wire.onFrame = (frame) => {
      if (!this.input(frame)) input(frame);
    };
    const send = wire.send.bind(wire);
    wire.send = (frame) => send(this.toIpv6(frame) ?? frame);
  }

  /** Sends a packet to the guest, or to a group. */
  send(packet: Ipv6Packet): void {
    const group = packet.destination.startsWith("ff");
    const destination = group ? groupMac(packet.destination) : this.guestMac;
    const frame = { destination, source: this.peer.mac, type: ETHERTYPE_IPV6, payload: encodeIpv6(packet) };
    this.peer.wire.send(encodeEthernet(frame));
  }

  sendIcmpv6(packet: Omit<Ipv6Packet, "next" | "payload">, message: Icmpv6Message): void {
    const payload = encodeIcmpv6(packet.source, packet.destination, message);
    this.send({ ...packet, next: NEXT_ICMPV6, payload });
  }

  advertise(prefixes: readonly Prefix[], lifetime = 1800, options: readonly Buffer[] = []): void {
    const list = [linkOption(1, this.peer.mac), ...prefixes.map(prefixOption), ...options];
    this.sendIcmpv6(
      { source: this.linkLocal, destination: "ff02::1", hopLimit: 255 },
      { type: ROUTER_ADVERTISEMENT, code: 0, body: advertisementBody(lifetime, list) },
    );
  }

  /** The first packet from now on for which `pick` returns something. */
  waitFor<T>(what: string, ms: number, pick: (seen: Seen) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.listeners.delete(listener);
      };
      const listener = (seen: Seen): void => {
        const picked = pick(seen);
        if (picked === undefined) return;
        done();
        resolve(picked);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${what}: nothing within ${ms} ms; seen of IPv6:\n  ${this.recent()}`));
      }, ms);
      this.listeners.add(listener);
    });
  }

  /** The last packets of the guest, in a line each. */
  recent(): string {
    const line = ({ packet, message, to }: Seen): string =>
      `${packet.source} > ${packet.destination} (${to}) ${message ? `ICMPv6 ${message.type}` : `next header ${packet.next}`}, ${packet.payload.length} bytes`;
    return this.seen.slice(-20).map(line).join("\n  ") || "no packet";
  }

  /** Echo request and its reply, byte for byte. */
  async ping(payload: Buffer, destination: string, source: string, ms = PATIENCE): Promise<void> {
    this.pings += 1;
    const body = Buffer.concat([Buffer.from([0xae, 0, this.pings >> 8, this.pings & 255]), payload]);
    const reply = this.waitFor("echo reply", ms, ({ packet, message }) =>
      message?.type === ECHO_REPLY && message.body.readUInt32BE(0) === body.readUInt32BE(0)
        ? { packet, message }
        : undefined,
    );
    this.sendIcmpv6({ source, destination }, { type: ECHO_REQUEST, code: 0, body });
    const { packet, message } = await reply;
    if (packet.source !== destination || packet.destination !== source)
      throw new Error("echo reply of others");
    if (!message.checksumOk) throw new Error("echo reply with a wrong checksum");
    if (!message.body.equals(body)) throw new Error(`echo reply with ${message.body.length - 4} other bytes`);
  }

  /** From now on IPv4 between the peer and the guest goes as IPv6, as far as the rules say; undefined: no more. */
  translate(rules: Translation | undefined): void {
    this.translator = rules && new Translator(this.peer, rules);
  }

  /** Whether the frame was IPv6, and so none of the peer's business as it is. */
  private input(frame: Buffer): boolean {
    const ethernet = decodeEthernet(frame);
    if (ethernet?.type !== ETHERTYPE_IPV6) return false;
    const packet = decodeIpv6(ethernet.payload);
    if (!packet) return true;
    this.guestMac = ethernet.source;
    const seen = { packet, message: decodeIcmpv6(packet), to: ethernet.destination };
    this.seen.push(seen);
    if (this.seen.length > 5000) this.seen.splice(0, 2500);
    const gone = this.intercept(seen);
    if (!gone) this.answer(seen);
    for (const listener of [...this.listeners]) listener(seen);
    const translated = gone ? undefined : this.translator?.toIpv4(packet);
    if (translated) this.deliver(translated);
    return true;
  }

  private answer({ packet, message }: Seen): void {
    if (message?.type === ROUTER_SOLICITATION && this.prefixes) this.advertise(this.prefixes);
    if (message?.type !== NEIGHBOUR_SOLICITATION || packet.source === "::") return;
    const target = targetOf(message);
    if (!this.addresses.has(target) && !this.translator?.isOurs(target)) return;
    const flags = NA_ROUTER | NA_SOLICITED | NA_OVERRIDE;
    const body = neighbourBody(flags, target, [linkOption(2, this.peer.mac)]);
    this.sendIcmpv6(
      { source: target, destination: packet.source, hopLimit: 255 },
      { type: NEIGHBOUR_ADVERTISEMENT, code: 0, body },
    );
  }

  /** A frame of IPv4 from the peer to the guest, as it goes on the wire. */
  private toIpv6(frame: Buffer): Buffer | undefined {
    if (!this.translator || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
    const packet = this.translator.toIpv6(frame.subarray(ETHERNET_HEADER));
    return packet && Buffer.concat([frame.subarray(0, 12), Buffer.from([0x86, 0xdd]), packet]);
  }

  /** Hands the peer a packet of the guest's. */
  private deliver(packet: Ipv4Packet): void {
    const payload = encodeIpv4(packet);
    const { mac, wire } = this.peer;
    wire.onFrame(encodeEthernet({ destination: mac, source: this.guestMac, type: ETHERTYPE_IPV4, payload }));
  }
}
