/**
 * The DNS resolver's course of requests, in random orders, some 25,000 requests a run: those from main code, from handlers and by `lookup`, while handlers run at the end of
 * any system call, calls fail, and servers lose, delay, forge and damage. Each request is answered exactly once, with the truth or an errno; then nothing
 * is left: no socket, no event, and all places are free.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { compile } from "../apps/compile.ts";
import { generator } from "../wire/wire.ts";
import { World, addressOf } from "./dns-world.ts";

interface Harness {
  room(): number;
  ask(name: number, length: number): number;
  wait(name: number, length: number): number;
}

const [ENOENT, EAGAIN] = [-2, -11];
/** What a request may end with where servers, network and system fail. */
const FAILURES = [-5, -24, -28, -61, -101, -105, -110, -111];
const LIMIT = 32;

let module: WebAssembly.Module;
before(async () => {
  module = await compile("spec/sdk/dns-resolver-harness.ts");
});

/** The resolver of one process in a world of its own. */
class Process {
  readonly waiting = new Map<number, number>();
  readonly results = new Map<string, number>();
  /** Called when an answer was told. */
  afterwards: () => void = () => undefined;
  private readonly harness: Harness;
  private readonly names: number[] = [];
  private early: [number, number, number][] = [];

  constructor(readonly world: World) {
    const test = { told: (id: number, first: number, count: number) => this.told(id, first >>> 0, count) };
    const { exports } = new WebAssembly.Instance(module, { aemos: world.calls(), test });
    this.harness = exports as unknown as Harness;
    for (let i = 0; i < 8; i++) this.names.push(this.harness.room());
    // Behind the first allocation, which takes all memory that there is.
    world.attach(exports);
  }

  private name(number: number): [number, number] {
    const text = `n${number}.test`;
    const at = this.names.shift() as number;
    this.names.push(at);
    this.world.bytes(at, 64).write(text, "latin1");
    return [at, text.length];
  }

  /** Requests a name; the errno, or 0. */
  ask(number: number): number {
    const id = this.harness.ask(...this.name(number));
    if (id <= 0) {
      assert.ok(id === EAGAIN || FAILURES.includes(id), `refused: ${id}`);
      return id;
    }
    assert.equal(this.waiting.has(id), false);
    this.waiting.set(id, number);
    // The handler may have been called before the number was known.
    const early = this.early.filter(([each]) => each === id);
    this.early = this.early.filter(([each]) => each !== id);
    for (const each of early) this.told(...each);
    return 0;
  }

  wait(number: number): void {
    const result = this.harness.wait(...this.name(number));
    if (result === EAGAIN) return;
    this.judge(number, result >= 0 ? result : 0, result >= 0 ? 1 : result);
  }

  private told(id: number, first: number, count: number): void {
    assert.ok(this.world.handling || this.waiting.has(id), "a handler that is called by a call");
    const number = this.waiting.get(id);
    if (number === undefined) {
      assert.ok(!this.early.some(([each]) => each === id), "told twice");
      this.early.push([id, first, count]);
      return;
    }
    this.waiting.delete(id);
    this.judge(number, first, count);
    this.afterwards();
  }

  private judge(number: number, first: number, count: number): void {
    const known = addressOf(number);
    if (count > 0) assert.equal(first, known, `n${number}.test`);
    else if (count === ENOENT) assert.equal(known, undefined, `n${number}.test`);
    else assert.ok(this.world.trouble > 0 && FAILURES.includes(count), `n${number}.test: ${count}`);
    const kind = count > 0 ? "found" : count === ENOENT ? "none" : "failed";
    this.results.set(kind, (this.results.get(kind) ?? 0) + 1);
  }

  /** Lets time pass until all requests have ended. */
  settle(): void {
    for (let i = 0; i < 3000 && (this.waiting.size > 0 || this.world.events.size > 0); i++) {
      this.world.pass(50_000_000n);
      this.world.dispatch();
    }
    assert.deepEqual([this.waiting.size, this.early.length], [0, 0], "requests without an answer");
    assert.deepEqual(
      [this.world.sockets.size, this.world.events.size],
      [0, 0],
      "sockets and events that are left",
    );
  }
}

test("500 runs of up to 60 requests: each is answered once, and nothing is left", (t) => {
  const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
  t.diagnostic(`AEMOS_SEED=${seed}`);
  const total = new Map<string, number>();
  for (let run = 0; run < 500; run++) {
    const world = new World(generator(seed * 10_000 + run));
    const own = new Process(world);
    const number = (): number => world.below(run % 2 === 0 ? 12 : 200);
    let more = world.below(12);
    own.afterwards = () => {
      if (more > 0 && world.below(2) === 0) {
        more--;
        own.ask(number());
      }
    };
    try {
      for (let i = 1 + world.below(48); i > 0; i--) {
        const way = world.below(12);
        if (way === 0) own.wait(number());
        else if (way < 9) own.ask(number());
        world.pass(BigInt(world.below(3) === 0 ? world.below(1e9) : world.below(1e6)));
        world.dispatch();
      }
      own.settle();
      assert.ok(world.mostSockets <= LIMIT);
      // All places are free: as many requests fit as at the beginning, and answers are right when nothing goes wrong.
      world.trouble = 0;
      for (let i = 0; i < LIMIT; i++) assert.equal(own.ask(1000 + i), 0);
      assert.equal(own.ask(1999), EAGAIN, "one too many");
      own.settle();
    } catch (error) {
      throw new Error(`run ${run} of seed ${seed}: ${String(error)}`, { cause: error });
    }
    for (const [kind, count] of own.results) total.set(kind, (total.get(kind) ?? 0) + count);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(total)));
  for (const kind of ["found", "none", "failed"]) assert.ok((total.get(kind) ?? 0) > 50, kind);
});
