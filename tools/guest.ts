/**
 * A running QEMU as the rest of the tools and the boot tests see it: the lines of its console, its end and its status.
 */
import type { ChildProcess } from "node:child_process";
import { UserError } from "./errors.ts";

/** Exit status of a guest that QEMU reset or powered off instead of it ending through the debug-exit device. */
export const STATUS_RESET = 255;
/** Exit status of a guest that was stopped from outside (128 + SIGINT), as shells report it. */
export const STATUS_STOPPED = 130;

/** Lines of the console that are kept. */
const KEPT_LINES = 50_000;

/** Called with each line of the console, without its line end. */
export type LineListener = (line: string) => void;

interface Waiter {
  matches(text: string): RegExpMatchArray | null;
  resolve(match: RegExpMatchArray): void;
  reject(error: Error): void;
}

export class Guest {
  /** What the guest has written on its console, one entry for each complete line; the last 50,000 of them. */
  readonly lines: string[] = [];
  /** Status of the guest when it has ended; rejects with a UserError when QEMU could not start it. */
  readonly exited: Promise<number>;
  /** Whether QEMU has ended. */
  ended = false;
  private partial = "";
  private errors = "";
  private stopped = false;
  private readonly listeners: LineListener[] = [];
  private waiters: Waiter[] = [];

  constructor(
    private readonly child: ChildProcess,
    private readonly explain: (errors: string) => Promise<string>,
  ) {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.take(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    this.exited = new Promise((resolve, reject) => {
      child.on("error", (error) => this.refuse(error.message).catch(reject));
      child.on("close", (code) => void this.status(code).then(resolve, reject));
    });
    this.exited.then(
      (status) => this.end(`the guest ended with status ${status}`),
      (error: Error) => this.end(error.message),
    );
  }

  /** Process number of QEMU. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The console so far as one text, an unfinished last line included. */
  get output(): string {
    return this.complete() + this.partial;
  }

  /** What QEMU itself wrote on its standard error. */
  get qemuErrors(): string {
    return this.errors;
  }

  /** Calls `listener` with every line of the console, those already written first. */
  onLine(listener: LineListener): void {
    for (const line of this.lines) listener(line);
    this.listeners.push(listener);
  }

  /**
   * Waits until the console holds `pattern` (text or expression, matched against all complete lines so far: what follows in an unfinished
   * one could still belong to the match). Rejects after `timeout` milliseconds, or when the guest ends first; the message holds the console.
   */
  waitFor(pattern: string | RegExp, timeout = 10_000): Promise<RegExpMatchArray> {
    const matches = (text: string): RegExpMatchArray | null => {
      if (typeof pattern !== "string") return text.match(pattern);
      return text.includes(pattern) ? [pattern] : null;
    };
    const match = matches(this.complete());
    if (match !== null) return Promise.resolve(match);
    if (this.ended) return Promise.reject(this.failure(`the guest ended before it printed ${pattern}`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(this.failure(`no ${pattern} within ${timeout} ms`));
      }, timeout);
      const waiter: Waiter = {
        matches,
        resolve: (found) => {
          clearTimeout(timer);
          resolve(found);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.waiters.push(waiter);
    });
  }

  /** Ends QEMU at once and waits until it is gone. Never rejects. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (!this.ended) this.child.kill("SIGKILL");
    await this.exited.catch(() => undefined);
  }

  private complete(): string {
    return this.lines.map((line) => `${line}\n`).join("");
  }

  private take(text: string): void {
    const parts = (this.partial + text).split(/\r*\n/);
    this.partial = parts.pop() ?? "";
    for (const line of parts) {
      this.lines.push(line);
      for (const listener of this.listeners) listener(line);
    }
    if (this.lines.length > KEPT_LINES) this.lines.splice(0, this.lines.length - KEPT_LINES);
    if (this.waiters.length === 0 || parts.length === 0) return;
    const output = this.complete();
    this.waiters = this.waiters.filter((waiter) => {
      const match = waiter.matches(output);
      if (match !== null) waiter.resolve(match);
      return match === null;
    });
  }

  /**
   * QEMU's exit code as the guest meant it. isa-debug-exit turns the guest's v into (v << 1) | 1, so 0 from the guest and a
   * QEMU that could not start are both 1: the latter wrote an error and the guest wrote nothing.
   */
  private async status(code: number | null): Promise<number> {
    if (this.stopped || code === null) return STATUS_STOPPED;
    if (code === 0) return this.errors.includes("terminating on signal 2") ? STATUS_STOPPED : STATUS_RESET;
    const complained = /^[^\n]*qemu[^\n:]*: (?!warning)/m.test(this.errors);
    if (code % 2 === 0 || (code === 1 && complained && this.lines.length === 0)) {
      await this.refuse(this.errors);
    }
    return code >> 1;
  }

  private async refuse(errors: string): Promise<never> {
    throw new UserError(await this.explain(errors));
  }

  private end(reason: string): void {
    this.ended = true;
    if (this.partial !== "") this.take("\n");
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.failure(reason));
  }

  private failure(reason: string): Error {
    const errors = this.errors === "" ? "" : `\n--- QEMU:\n${this.errors}`;
    return new Error(`${reason}\n--- console:\n${this.output}${errors}`);
  }
}
