/** The guest under attack, as the files of this folder see it: how to send it anything, and how to see that it is well. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Stats, get, parseResponse } from "../../boot/client.ts";
import type { Machine } from "../../boot/machine.ts";
import { TcpClient } from "../client.ts";
import { ETHERTYPE_IPV4, encodeEthernet } from "../frame.ts";
import { type Ipv4Packet, PROTOCOL_UDP, decodeUdp, encodeIpv4, encodeUdp } from "../ipv4.ts";
import type { Peer } from "../peer.ts";
import { type TcpSegment, encodeTcp } from "../tcp.ts";
import { PATIENCE } from "../patience.ts";

/** One class of holes. `drops`: frames of it that the guest has to count as dropped, at least. */
export interface Attack {
  name: string;
  drops?: number;
  run: (target: Target) => Promise<void>;
}

export class Target {
  constructor(
    readonly peer: Peer,
    readonly machine: Machine,
    /** The guest's MAC address. */
    readonly mac: string,
  ) {}

  /** A frame to the guest. */
  frame(payload: Buffer, type = ETHERTYPE_IPV4, source = this.peer.mac): void {
    this.peer.wire.send(encodeEthernet({ destination: this.mac, source, type, payload }));
  }

  /** An IPv4 packet to the guest, from the peer unless said otherwise. */
  ipv4(packet: Pick<Ipv4Packet, "protocol" | "payload"> & Partial<Ipv4Packet>): void {
    this.frame(encodeIpv4({ source: this.peer.address, destination: this.peer.guest, ...packet }));
  }

  /** The same, with its first bytes written over before the header's checksum is made right again. */
  broken(
    packet: Pick<Ipv4Packet, "protocol" | "payload"> & Partial<Ipv4Packet>,
    at: number,
    bytes: number[],
  ): void {
    const packed = encodeIpv4({ source: this.peer.address, destination: this.peer.guest, ...packet });
    packed.set(bytes, at);
    const header = Math.min(packed.length, ((packed[0] as number) & 15) * 4) & ~1;
    let sum = 0;
    for (let i = 0; i < header; i += 2) if (i !== 10) sum += packed.readUInt16BE(i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    if (packed.length >= 12) packed.writeUInt16BE(~sum & 0xffff, 10);
    this.frame(packed);
  }

  /** A datagram in fragments of `size` bytes, from `source`. */
  fragments(
    payload: Buffer,
    size: number,
    identification: number,
    protocol: number,
    source = this.peer.address,
  ): void {
    for (let at = 0; at < payload.length; at += size) {
      const more = at + size < payload.length ? 0x2000 : 0;
      const piece = payload.subarray(at, at + size);
      this.ipv4({ source, protocol, payload: piece, identification, fragment: (at >> 3) | more });
    }
  }

  /** A segment with bytes for its options; `change` is called with the whole of it before its checksum is made. */
  segment(segment: Partial<TcpSegment> & Pick<TcpSegment, "destinationPort" | "flags">): void {
    const full: TcpSegment = {
      sourcePort: this.peer.port(),
      sequence: 1000,
      acknowledgement: 0,
      window: 65535,
      options: {},
      payload: Buffer.alloc(0),
      ...segment,
    };
    this.ipv4({ protocol: 6, payload: encodeTcp(this.peer.address, this.peer.guest, full) });
  }

  /** Sends a datagram to the echo port in fragments, and gives back what comes of it, put together from fragments. */
  async askLong(payload: Buffer, size = 1480, ms = PATIENCE): Promise<Buffer> {
    const { peer } = this;
    const sourcePort = peer.port();
    const parts: Buffer[] = [];
    let whole = 0;
    let length = 0;
    const answer = peer.waitFor(`answer of ${payload.length} bytes in fragments`, ms, ({ ip }) => {
      if (ip?.source !== peer.guest || ip.protocol !== PROTOCOL_UDP) return undefined;
      const offset = ((ip.fragment ?? 0) & 0x1fff) << 3;
      if (offset === 0 && ip.payload.readUInt16BE(2) !== sourcePort) return undefined;
      assert.equal(
        ip.fragment !== undefined && (ip.fragment & 0x4000) !== 0,
        false,
        "don't fragment is not set",
      );
      parts.push(Buffer.concat([Buffer.alloc(4, offset), ip.payload]));
      (parts.at(-1) as Buffer).writeUInt32BE(offset);
      length += ip.payload.length;
      if (!((ip.fragment ?? 0) & 0x2000)) whole = offset + ip.payload.length;
      return length === whole ? true : undefined;
    });
    const datagram = encodeUdp(peer.address, peer.guest, { sourcePort, destinationPort: 7, payload });
    this.fragments(datagram, size, peer.port(), PROTOCOL_UDP);
    await answer;
    const bytes = Buffer.alloc(whole);
    for (const part of parts) part.copy(bytes, part.readUInt32BE(0), 4);
    const udp = decodeUdp(peer.guest, peer.address, bytes);
    assert.ok(udp?.checksumOk, "the checksum over all fragments is right");
    return Buffer.from(udp.payload);
  }

  async stats(): Promise<Stats> {
    const done = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;
    const request = Buffer.from(get("/stats", "Connection: close"));
    const data = await TcpClient.request(this.peer, 80, request, PATIENCE, done);
    return JSON.parse((parseResponse(data, false, false) as { body: Buffer }).body.toString()) as Stats;
  }

  async dropped(): Promise<number> {
    return (await this.stats()).kernel["framesDropped"] ?? NaN;
  }

  /** A real client is served: ping, datagram, request. Nothing of an error on the console. */
  async well(): Promise<void> {
    const { machine, peer } = this;
    assert.equal(machine.guest.ended, false, `the guest has ended\n${machine.console()}`);
    await peer.ping(Buffer.from("well?"));
    assert.equal((await peer.askUdp(7, Buffer.from("well"))).toString(), "well");
    await this.stats();
    const bad = machine.guest.lines.filter((line) => /panic|trapped|fault|has ended|unreachable/i.test(line));
    assert.deepEqual(bad, [], machine.console());
  }
}

/** Gives the guest time to work off what was sent. */
export function settle(): Promise<void> {
  return sleep(60);
}
