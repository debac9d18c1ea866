/**
 * A DHCP server (RFC 2131, options of RFC 2132) on the frame peer: leases one address, and can misbehave.
 *
 * `mode` may be changed at any time; `log` keeps what the client sent, in order, for the test to judge.
 */
import { BROADCAST, ETHERTYPE_IPV4, address, encodeEthernet } from "./frame.ts";
import { PROTOCOL_UDP, encodeIpv4, encodeUdp } from "./ipv4.ts";
import type { Peer } from "./peer.ts";
import { until } from "./patience.ts";

export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const DECLINE = 4;
export const DHCPACK = 5;
export const NAK = 6;
export const RELEASE = 7;

const MAGIC = 0x63825363;

/**
 * What the server does with a message: as it should; nothing; NAK to every REQUEST; answers that are cut off in the middle
 * of an option; answers with another transaction's number; both of these.
 */
export type DhcpMode = "lease" | "silent" | "nak" | "malformed" | "foreign" | "hostile";

export interface DhcpOptions {
  lease?: string;
  netmask?: string;
  router?: string;
  /** Option 6; not sent when absent. */
  nameServers?: readonly string[];
  /** Seconds. */
  leaseTime?: number;
  /** Seconds; 0: not sent, the client takes its defaults (half and seven eighths of the lease). */
  renewal?: number;
  rebinding?: number;
}

export interface DhcpMessage {
  operation: number;
  transaction: number;
  clientAddress: number;
  hardware: Buffer;
  broadcast: boolean;
  options: Map<number, Buffer>;
  type: number;
}

/** A BOOTP message with the DHCP magic, or undefined. */
export function decodeDhcp(bytes: Buffer): DhcpMessage | undefined {
  if (bytes.length < 241 || bytes.readUInt32BE(236) !== MAGIC || bytes[1] !== 1 || bytes[2] !== 6)
    return undefined;
  const options = new Map<number, Buffer>();
  for (let i = 240; i < bytes.length;) {
    const code = bytes[i] as number;
    if (code === 255) break;
    if (code === 0) {
      i += 1;
      continue;
    }
    const length = bytes[i + 1] ?? 0;
    if (i + 2 + length > bytes.length) return undefined;
    options.set(code, bytes.subarray(i + 2, i + 2 + length));
    i += 2 + length;
  }
  return {
    operation: bytes[0] as number,
    transaction: bytes.readUInt32BE(4),
    broadcast: (bytes.readUInt16BE(10) & 0x8000) !== 0,
    clientAddress: bytes.readUInt32BE(12),
    hardware: bytes.subarray(28, 34),
    options,
    type: options.get(53)?.[0] ?? 0,
  };
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export class DhcpServer {
  mode: DhcpMode = "lease";
  readonly log: DhcpMessage[] = [];
  /** ACKs sent. */
  leases = 0;
  private readonly stop: () => void;

  constructor(
    private readonly peer: Peer,
    private readonly options: DhcpOptions = {},
  ) {
    this.stop = peer.subscribe(({ udp }) => {
      if (udp?.destinationPort !== 67 || udp.sourcePort !== 68 || !udp.checksumOk) return;
      const message = decodeDhcp(udp.payload);
      if (message?.operation === 1) this.serve(message);
    });
  }

  close(): void {
    this.stop();
  }

  /** Types of the messages received so far. */
  types(): number[] {
    return this.log.map(({ type }) => type);
  }

  /** Resolves when a lease has been given. */
  async leased(ms: number): Promise<void> {
    const what = (): string => `a DHCP lease; message types received: [${this.types().join(", ")}]`;
    await until(what, () => this.leases > 0, ms);
  }

  private serve(message: DhcpMessage): void {
    this.log.push(message);
    const wanted = address(this.options.lease ?? "10.0.2.15");
    if (this.mode === "silent") return;
    if (message.type === DISCOVER) this.reply(message, OFFER, wanted);
    if (message.type !== REQUEST) return;
    const server = message.options.get(54);
    if (server && !server.equals(word(this.peer.address))) return;
    const asked = message.options.get(50)?.readUInt32BE(0) ?? message.clientAddress;
    if (this.mode === "nak" || asked !== wanted) this.reply(message, NAK, 0);
    else {
      this.reply(message, DHCPACK, wanted);
      if (this.mode === "lease") this.leases += 1;
    }
  }

  private reply(message: DhcpMessage, type: number, offered: number): void {
    const { mode } = this;
    if (mode === "foreign" || mode === "hostile")
      this.send(message, type, offered, message.transaction ^ 0xffff, false);
    if (mode === "malformed" || mode === "hostile")
      this.send(message, type, offered, message.transaction, true);
    if (mode === "lease" || mode === "nak") this.send(message, type, offered, message.transaction, false);
  }

  private send(message: DhcpMessage, type: number, offered: number, transaction: number, cut: boolean): void {
    const bytes = Buffer.alloc(240);
    bytes[0] = 2;
    bytes[1] = 1;
    bytes[2] = 6;
    bytes.writeUInt32BE(transaction >>> 0, 4);
    bytes.writeUInt16BE(message.broadcast ? 0x8000 : 0, 10);
    bytes.writeUInt32BE(type === DHCPACK ? message.clientAddress : 0, 12);
    bytes.writeUInt32BE(offered, 16);
    bytes.writeUInt32BE(this.peer.address, 20);
    message.hardware.copy(bytes, 28);
    bytes.writeUInt32BE(MAGIC, 236);
    const hardware = message.hardware.toString("hex").replace(/..(?!$)/g, "$&:");
    const everyone = message.broadcast || type === NAK;
    const destination = everyone ? 0xffffffff : message.clientAddress || offered;
    const udp = encodeUdp(this.peer.address, destination, {
      sourcePort: 67,
      destinationPort: 68,
      payload: Buffer.concat([bytes, this.encodeOptions(type, cut)]),
    });
    const payload = encodeIpv4({
      source: this.peer.address,
      destination,
      protocol: PROTOCOL_UDP,
      payload: udp,
    });
    const mac = everyone ? BROADCAST : hardware;
    this.peer.wire.send(
      encodeEthernet({ destination: mac, source: this.peer.mac, type: ETHERTYPE_IPV4, payload }),
    );
  }

  private encodeOptions(type: number, cut: boolean): Buffer {
    const { netmask, router, nameServers, leaseTime, renewal, rebinding } = this.options;
    const list: [number, Buffer][] = [
      [53, Buffer.from([type])],
      [54, word(this.peer.address)],
    ];
    if (type !== NAK) {
      list.push([51, word(leaseTime ?? 3600)]);
      if (renewal) list.push([58, word(renewal)]);
      if (rebinding) list.push([59, word(rebinding)]);
      list.push([1, word(address(netmask ?? "255.255.255.0"))]);
      list.push([3, word(router ? address(router) : this.peer.address)]);
      if (nameServers) list.push([6, Buffer.concat(nameServers.map((each) => word(address(each))))]);
    }
    const parts = list.map(([code, body]) => Buffer.concat([Buffer.from([code, body.length]), body]));
    // The length of the last option runs past the end, and there is no end mark.
    if (cut) return Buffer.concat([...parts, Buffer.from([3, 200, 1])]);
    return Buffer.concat([...parts, Buffer.from([255])]);
  }
}
