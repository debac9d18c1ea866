/**
 * Images that run to their end by themselves, and report in rows what they have seen (spec/boot/apps): the machine of a `describe`, whose tests look at the report.
 */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Machine, type MachineOptions, boot } from "./machine.ts";

/** Instructions instead of time: one to the nanosecond, however busy the host is; and time that nobody needs is skipped. */
export const EXACT: MachineOptions = { icount: "shift=0,sleep=off" };
/** Milliseconds for an image to come to its end, on a machine that does other things as well. */
const RUN_TIMEOUT = 120_000;

/** What a machine has reported, when it has run. */
export class Report {
  private machine: Machine | undefined;
  /** Of the guest, when it ended. */
  status = -1;

  /** Boots the image, without a network unless `options` say so, and waits until it has ended. */
  async run(image: string, options: MachineOptions = {}, ms = RUN_TIMEOUT): Promise<this> {
    this.machine = await boot(image, { netdev: "none", ready: false, ...options });
    try {
      this.status = await this.machine.exited(ms);
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  async stop(): Promise<void> {
    await this.machine?.stop();
  }

  /** Lines of the console. */
  get lines(): readonly string[] {
    return this.there.guest.lines;
  }

  /** See Machine.rows. */
  rows(name: string): number[][] {
    return this.there.rows(name);
  }

  /** The row of a name that there is one of. */
  readonly one = (name: string): number[] => {
    const rows = this.rows(name);
    assert.equal(rows.length, 1, `rows "${name}"\n${this.console()}`);
    return rows[0] as number[];
  };

  console(): string {
    return this.there.console();
  }

  private get there(): Machine {
    assert.ok(this.machine, "the image has not run");
    return this.machine;
  }
}

/** Within a `describe`: the image runs to its end before the tests. */
export function reportOf(image: string, options: MachineOptions = {}, ms = RUN_TIMEOUT): Report {
  const report = new Report();
  before(async () => void (await report.run(image, options, ms)));
  after(() => report.stop());
  return report;
}
