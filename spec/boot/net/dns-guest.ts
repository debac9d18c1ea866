/** What the tests of the DNS resolver share: a guest with spec/boot/apps/dns, its remote control, and a name server on the wire. */
import assert from "node:assert/strict";
import { type DnsQuestion, A, type DnsRecord, type DnsResponse, encodeResponse } from "../../wire/dns.ts";
import { type Answerer, type Asked, DnsServer } from "../../wire/dns-server.ts";
import { DhcpServer } from "../../wire/dhcp.ts";
import { address } from "../../wire/frame.ts";
import type { Peer } from "../../wire/peer.ts";
import { type WiredMachine, bootWired, specImage } from "../machine.ts";
import { PATIENCE } from "../../wire/patience.ts";

export const DNS_IMAGE = specImage("dns.json");
export const FIRST = "10.0.2.3";
export const SECOND = "10.0.2.4";
/** Ports of the application that calls `resolve`, and of that which calls `lookup`. */
export const ASYNC = 5300;
export const BLOCKING = 5301;

export const hex = (text: string): string => address(text).toString(16).padStart(8, "0");
export const a = (name: string, to: string, ttl = 60): DnsRecord => ({
  ...{ name, type: A, ttl },
  data: Buffer.from(hex(to), "hex"),
});
export const respond = (asked: DnsQuestion, response: DnsResponse): Buffer => encodeResponse(asked, response);
export const always =
  (response: (asked: Asked) => DnsResponse): Answerer =>
  (asked) => [respond(asked, response(asked))];

let tags = 0;

/** Sends a command, and waits for the reply with its tag. */
export async function command(peer: Peer, port: number, text: string, ms = PATIENCE): Promise<string> {
  const tag = `t${++tags}`;
  await peer.resolve();
  const reply = peer.waitFor(`reply to ${text}`, ms, ({ udp }) => {
    const words = udp?.sourcePort === port ? udp.payload.toString("latin1") : "";
    return words.startsWith(`${tag} `) ? words.slice(tag.length + 1) : undefined;
  });
  peer.sendUdp({ sourcePort: 4000, destinationPort: port, payload: Buffer.from(`${tag} ${text}`) });
  return reply;
}

/** sdk/dns/statistics.ts */
const COUNTERS = [
  "requests",
  "cached",
  "joined",
  "refused",
  "asked",
  "askedOverTcp",
  "strays",
  "timeouts",
  "errors",
  "failed",
] as const;

/** A guest that has two name servers from DHCP. */
export class DnsGuest {
  private names = 0;
  private constructor(
    readonly wired: WiredMachine,
    readonly server: DnsServer,
  ) {}

  static async boot(): Promise<DnsGuest> {
    const dhcp = (peer: Peer): DhcpServer => new DhcpServer(peer, { nameServers: [FIRST, SECOND] });
    const wired = await bootWired(DNS_IMAGE, { dhcp });
    return new DnsGuest(wired, new DnsServer(wired.peer, [FIRST, SECOND]));
  }

  async stop(): Promise<void> {
    this.server.close();
    await this.wired.stop();
  }

  get peer(): Peer {
    return this.wired.peer;
  }

  /** A name that nobody has asked for yet. */
  fresh(): string {
    return `n${++this.names}.test`;
  }

  /** Both ways to call, each with a name of its own. */
  async both(run: (port: number, name: string) => Promise<void>): Promise<void> {
    for (const port of [ASYNC, BLOCKING]) {
      this.server.questions.length = 0;
      await run(port, this.fresh());
    }
  }

  /** The same at the same time, for what takes long. */
  async together(run: (port: number, name: string) => Promise<void>): Promise<void> {
    this.server.questions.length = 0;
    await Promise.all([ASYNC, BLOCKING].map((port) => run(port, this.fresh())));
  }

  /** Runs with a fresh name, and with another one where it took so many milliseconds, in which what is known may be forgotten; then `check`. */
  async within(
    ms: number,
    run: (name: string) => Promise<void>,
    check: (name: string) => void,
  ): Promise<string> {
    for (let tries = 1; ; tries++) {
      const name = this.fresh();
      const begun = performance.now();
      await run(name);
      const took = performance.now() - begun;
      if (took < ms) {
        check(name);
        return name;
      }
      assert.ok(tries < 20, `never within ${ms} ms, at last in ${took} ms`);
    }
  }

  /** Questions for a name. */
  askedFor(name: string): Asked[] {
    return this.server.questions.filter((asked) => asked.name.toLowerCase() === name);
  }

  command(port: number, text: string, ms?: number): Promise<string> {
    return command(this.peer, port, text, ms);
  }

  async expects(port: number, text: string, wanted: string, ms?: number): Promise<void> {
    assert.equal(await this.command(port, text, ms), wanted, `${text}\n${this.wired.machine.console()}`);
  }

  /** Of the application that calls `resolve`. */
  async counters(): Promise<Record<(typeof COUNTERS)[number], number>> {
    const values = (await this.command(ASYNC, "counters")).split(" ").map(Number);
    return Object.fromEntries(COUNTERS.map((name, i) => [name, values[i]])) as never;
  }
}
