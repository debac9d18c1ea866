/** Scenarios of one subject: they share one guest, in which each has connections of its own, and run side by side. */
import { after, before, describe, test } from "node:test";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";
import { Control } from "./control.ts";
import { address } from "./frame.ts";
import type { Peer } from "./peer.ts";
import { TcpScript } from "./scenario.ts";

/** Scenarios under way at once. They wait more than they compute. */
const AT_ONCE = 24;

/** A connection from the peer that the guest has accepted: 1:… both ways. `win 65535`, MSS 1460, no other options. */
export const PASSIVE = `
  +0 call listen
  +0 < S 0:0(0) win 65535 <mss 1460>
  +0 > S. 0:0(0) ack 1
  +0 < . 1:1(0) ack 1
  *  call accept
`;

/** A connection that the guest has opened: 1:… both ways. */
export const ACTIVE = `
  +0 call connect = -EINPROGRESS
  +0 > S 0:0(0)
  +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
  +0 > . 1:1(0) ack 1
  +0 call get error = 0
`;

/** Lines for `count` full segments of the guest from `first` on, one after the other at once. */
export function burst(first: number, count: number, size = 1460): string {
  const line = (from: number): string => `+0 > . ${from}:${from + size}(${size}) ack 1`;
  return Array.from({ length: count }, (_, i) => line(first + i * size)).join("\n");
}

export class Suite {
  private wired: WiredMachine | undefined;
  private made: Control | undefined;
  private nextAddress = address("10.0.2.100");

  get control(): Control {
    if (!this.made) throw new Error("the guest is not there yet");
    return this.made;
  }

  get peer(): Peer {
    return this.control.peer;
  }

  async boot(): Promise<void> {
    this.wired = await bootWired(specImage("wire.json"));
    this.made = new Control(this.wired.peer);
    await this.peer.resolve();
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
    const script = new TcpScript(this.peer, 0, { control: this.control, address: this.nextAddress++ });
    try {
      await script.run(text);
    } finally {
      await script.end();
    }
  }
}

/** A group of scenarios by name; `more` declares tests that are not only a scenario. */
export function scenarios(
  subject: string,
  texts: Record<string, string>,
  more: (suite: Suite) => void = () => {},
): void {
  describe(subject, { concurrency: AT_ONCE }, () => {
    const suite = new Suite();
    before(() => suite.boot());
    after(() => suite.stop());
    for (const [name, text] of Object.entries(texts)) test(name, () => suite.run(text));
    more(suite);
  });
}
