/**
 * Scenarios of one subject: they share one guest, in which each has connections of its own, and run side by side. Each runs over IPv4 and, beside that, over IPv6, whose segments
 * are 20 bytes shorter (`shortened`).
 */
import { after, before, describe, test } from "node:test";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";
import { Control } from "./control.ts";
import { DhcpServer } from "./dhcp.ts";
import { address } from "./frame.ts";
import type { Peer } from "./peer.ts";
import { Router6 } from "./router6.ts";
import { TcpScript } from "./scenario.ts";
import { TRANSLATED_NET } from "./translator.ts";
import { PATIENCE } from "./patience.ts";

/** Scenarios under way at once. They wait more than they compute. */
const AT_ONCE = 48;
/** Full segments of IPv4 over Ethernet, and of IPv6. */
const FULL = 1460;
const FULL6 = 1440;
/** The guest's address of IPv6. */
const GUEST6 = "2001:db8:0:1::15";

/**
 * A connection from the peer that the guest has accepted: 1:… both ways. `win 65535`, MSS 1460, no other options. Its first round trip takes so long that the guest's time-outs are
 * about a second: some exchanges can be made before one runs out, on a slow host as well.
 */
export const PASSIVE = passive(65535);

/** As PASSIVE, with a window of so many bytes, and no larger one before. */
export function passive(window: number): string {
  return `
  +0 call listen
  +0 < S 0:0(0) win ${window} <mss 1460>
  +0 > S. 0:0(0) ack 1
  +.3 < . 1:1(0) ack 1 win ${window}
  *  call accept
`;
}

/** A connection that the guest has opened: 1:… both ways. The round trip is short: time-outs of 0.2 s. */
export const ACTIVE = `
  +0 call connect = -EINPROGRESS
  +0 > S 0:0(0)
  +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
  +0 > . 1:1(0) ack 1
  +0 call get error = 0
`;

/** The guest has sent its FIN and it was acknowledged; the socket is still open. */
export const FIN_WAIT_2 = `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < . 1:1(0) ack 2
    *  call state = FIN_WAIT2`;
/** Both have sent their FINs, and neither is acknowledged. */
export const CLOSING = `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 1
    +0 > . 2:2(0) ack 2
    *  call state = CLOSING`;
/** The peer has sent its FIN. */
export const CLOSE_WAIT = `${PASSIVE}
    +0 < F. 1:1(0) ack 1
    +0 > . 1:1(0) ack 2
    *  call state = CLOSE_WAIT`;

/** Lines for `count` full segments of the guest from `first` on, one after the other at once. */
export function burst(first: number, count: number, size = 1460): string {
  const line = (from: number): string => `+0 > . ${from}:${from + size}(${size}) ack 1`;
  return Array.from({ length: count }, (_, i) => line(first + i * size)).join("\n");
}

/** A scenario with the numbers of IPv6: what is a few bytes behind full segments is as many behind shorter ones. Windows stay, unless they are of full segments. */
export function shortened(text: string): string {
  return text.replace(/(?<![.\d])\d+(?![.\d]*\d*[a-z])/g, (digits) => {
    const value = Number(digits);
    const segments = Math.floor(value / FULL);
    const behind = value % FULL;
    return segments === 0 || behind > NEAR ? digits : String(segments * FULL6 + behind);
  });
}

/** Bytes behind full segments that are counted from their end. */
const NEAR = 20;

export class Suite {
  private wired: WiredMachine | undefined;
  private made: Control | undefined;
  private nextAddress = address("10.0.2.100");
  private nextAddress6 = TRANSLATED_NET + 1;
  /** The guest has its address of IPv6: some seconds after its first of IPv4. */
  private ready6: Promise<unknown> = Promise.resolve();

  get control(): Control {
    if (!this.made) throw new Error("the guest is not there yet");
    return this.made;
  }

  get peer(): Peer {
    return this.control.peer;
  }

  async boot(): Promise<void> {
    let router: Router6 | undefined;
    this.wired = await bootWired(specImage("wire.json"), {
      append: `ip6=${GUEST6}/64`,
      dhcp: (peer) => {
        router = new Router6(peer);
        return new DhcpServer(peer);
      },
    });
    this.made = new Control(this.wired.peer);
    await this.peer.resolve();
    router?.translate({ guest: GUEST6 });
    this.ready6 = this.wired.machine.guest.waitFor(`ipv6: address ${GUEST6}`, PATIENCE);
    // Who waits for it hears of a failure.
    this.ready6.catch(() => {});
  }

  async stop(): Promise<void> {
    await this.wired?.stop();
  }

  /** The guest's console, for messages. */
  console(): string {
    return this.wired?.machine.console() ?? "";
  }

  /**
   * Runs a scenario, and ends what it leaves. The peer has an address for each, since what the guest learns of a path (its MTU) holds for
   * all connections to the address.
   */
  async run(text: string): Promise<void> {
    await this.runFrom(this.nextAddress++, text);
  }

  async runOverIpv6(text: string): Promise<void> {
    await this.ready6;
    await this.runFrom(this.nextAddress6++, shortened(text));
  }

  private async runFrom(from: number, text: string): Promise<void> {
    const script = new TcpScript(this.peer, 0, { control: this.control, address: from });
    try {
      await script.run(text);
    } finally {
      await script.end();
    }
  }
}

/** A group of scenarios by name; `more` declares tests that are not only a scenario. `only4`: beginnings of the names of those that are about IPv4. */
export function scenarios(
  subject: string,
  texts: Record<string, string>,
  more: (suite: Suite) => void = () => {},
  only4: readonly string[] = [],
): void {
  describe(subject, { concurrency: AT_ONCE }, () => {
    const suite = new Suite();
    before(() => suite.boot());
    after(() => suite.stop());
    for (const [name, text] of Object.entries(texts)) {
      test(name, () => suite.run(text));
      if (!only4.some((start) => name.startsWith(start)))
        test(`over IPv6: ${name}`, () => suite.runOverIpv6(text));
    }
    more(suite);
  });
}
