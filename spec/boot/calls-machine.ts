/**
 * The image spec/boot/apps/calls.json with what its tests need: the rows that its applications report, and commands to them.
 */
import assert from "node:assert/strict";
import { Connection, askUdp } from "./client.ts";
import { type Machine, boot, specImage } from "./machine.ts";

/** A connection to port 2001 of `calls`: its descriptor there, and the jids of the events that watch it. */
export interface Watched {
  connection: Connection;
  fd: number;
  sk: number;
  sock: number;
  read: number;
  close: number;
}

export class CallsMachine {
  private constructor(readonly machine: Machine) {}

  static async start(): Promise<CallsMachine> {
    const machine = await boot(specImage("calls.json"), { tcp: [2001, 2002, 2010], udp: [2000, 2003, 2011] });
    try {
      await machine.waitForRows("udp-registered");
    } catch (error) {
      await machine.stop();
      throw error;
    }
    return new CallsMachine(machine);
  }

  /** Exactly one row of this name; its values. */
  row(name: string): number[] {
    const rows = this.machine.rows(name);
    assert.equal(rows.length, 1, `rows "${name}": ${JSON.stringify(rows)}\n${this.machine.console()}`);
    return rows[0] as number[];
  }

  /** Waits for a row that `matches`, among those of this name. */
  async rowWhere(name: string, matches: (values: number[]) => boolean): Promise<number[]> {
    const rows = (): number[][] => this.machine.rows(name);
    return this.machine.until(
      () => `such a row "${name}"; seen: ${JSON.stringify(rows())}`,
      () => rows().find(matches),
    );
  }

  /** A command to the control port of `calls`. */
  async command(letter: string, a = 0, b = 0): Promise<void> {
    const message = Buffer.alloc(9);
    message.write(letter);
    message.writeUInt32BE(a, 1);
    message.writeUInt32BE(b, 5);
    await askUdp(this.machine.udp(2000), message);
  }

  /** Asks for the state of an event until it is a right one. */
  async lookedUp(jid: number, right: (state: number) => boolean): Promise<void> {
    await this.machine.until(`another state of event ${jid}`, async () => {
      const known = this.machine.rows("lookup").length;
      await this.command("l", jid);
      const rows = await this.machine.waitForRows("lookup", known + 1);
      return rows.slice(known).some(([asked, state]) => asked === jid && right(state as number));
    });
  }

  /** A connection to port 2001 and the numbers of its registrations. */
  async watched(): Promise<Watched> {
    const known = this.machine.rows("connection").length;
    const connection = await Connection.open(this.machine.tcp(2001));
    const rows = await this.machine.waitForRows("connection", known + 1);
    const [fd, sk, sock, read, close] = rows.at(-1) as [number, number, number, number, number];
    assert.ok(
      Math.min(fd, sk, sock, read, close) > 0,
      `a registration failed: ${[fd, sk, sock, read, close].join(" ")}`,
    );
    return { connection, fd, sk, sock, read, close };
  }

  /** Transitions that an sk event has reported so far. */
  transitions(jid: number): [number, number][] {
    return this.machine
      .rows("sk")
      .flatMap(([j, , from, to]) => (j === jid ? [[from as number, to as number]] : []));
  }
}
