/** The default image on a wire with a router for IPv6 (spec/wire/router6.ts), which speaks for all that the guest talks to. */
import assert from "node:assert/strict";
import { type UdpDatagram, encodeUdp, fold, sum16 } from "../../wire/ipv4.ts";
import { pseudoSum6 } from "../../wire/ipv6.ts";
import { Router6 } from "../../wire/router6.ts";
import { DEFAULT_IMAGE, type WiredMachine, type WiredOptions, bootWired } from "../machine.ts";
import { DhcpServer } from "../../wire/dhcp.ts";

export const ROUTER = "2001:db8:0:1::2";
export const ALL_NODES = "ff02::1";

export interface Host extends WiredMachine {
  router: Router6;
}

/** Starts the default image on a wire with a router for IPv6. */
export async function bootHost(
  options: WiredOptions = {},
  prepare: (router: Router6) => void = () => {},
): Promise<Host> {
  let router: Router6 | undefined;
  const wired = await bootWired(DEFAULT_IMAGE, {
    ...options,
    dhcp: (peer) => {
      router = new Router6(peer);
      prepare(router);
      return new DhcpServer(peer);
    },
  });
  assert.ok(router);
  return { ...wired, router };
}

/** Waits for a line of the console that says that the guest has an address; the address. */
export async function addressOf(host: Host, prefix: string, ms = 8000): Promise<string> {
  const [, address] = await host.machine.guest.waitFor(new RegExp(`ipv6: address (${prefix}[0-9a-f:]*)`), ms);
  return address as string;
}

/** A host that has its addresses, and whose peer over IPv4 is the router's ROUTER over IPv6, too. */
export class Ipv6Host {
  private constructor(
    readonly host: Host,
    readonly local: string,
    readonly global: string,
  ) {}

  static async start(): Promise<Ipv6Host> {
    const host = await bootHost();
    const local = await addressOf(host, "fe80:");
    const global = await addressOf(host, "2001:db8:0:1:");
    host.router.translate({ own: ROUTER, guest: global });
    return new Ipv6Host(host, local, global);
  }

  /** A UDP datagram, with a right checksum unless it has one. */
  sendUdp(datagram: UdpDatagram, source = ROUTER): void {
    const payload = encodeUdp(0, 0, { ...datagram, checksum: 0 });
    const sum = fold(sum16(payload, pseudoSum6(source, this.global, 17, payload.length)));
    payload.writeUInt16BE(datagram.checksum ?? (sum === 0 ? 0xffff : sum), 6);
    this.host.router.send({ source, destination: this.global, next: 17, payload });
  }

  /** Ping and UDP work as if nothing had happened. */
  async stillThere(): Promise<void> {
    await this.host.router.ping(Buffer.from("still there"), this.global, ROUTER);
    assert.equal((await this.host.peer.askUdp(7, Buffer.from("udp"))).toString(), "udp");
  }
}
