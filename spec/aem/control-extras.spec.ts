/** EVJOBHISTOGRAM and EVJOBRETRY (docs/aem-calls.md), and how many events can have what only few need. */
import {
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_SK,
  EVJOBCLEAN,
  EVJOBHISTOGRAM,
  EVJOBLOOKUP,
  EVJOBRETRY,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { EINVAL, ENOSPC } from "../../kernel/errno";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { MILLISECOND } from "../../kernel/time/clock";
import * as fake from "../fake";
import { setFilter, setTimeout } from "./control";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onRead,
  onState,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  transition,
  zone,
} from "./driver";
import { newStream, open, receive } from "./machine";

function bucket(index: u32): u32 {
  return load<u32>(changetype<usize>(statistics) + 104 + (index << 2));
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("EVJOBHISTOGRAM", () => {
  it("counts latencies from activation to call", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 2)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 1)).toBe(0);
    const latencies: u64[] = [100, 511, 512, 1023, 1024, 1_000_000, 3_000_000_000, 60_000_000_000];
    let sum: u64 = 0;
    for (let i = 0; i < latencies.length; i++) {
      receive(socket, 10);
      fake.advance(latencies[i]);
      // Activations while it is pending change nothing.
      receive(socket, 10);
      expectHandler(EVENT_READ, "called");
      expectNone("returns");
      sum += latencies[i];
    }
    readStatistics(jid);
    expect<u64>(statistics.latencyMin).toBe(100);
    expect<u64>(statistics.latencyMax).toBe(60_000_000_000);
    expect<u64>(statistics.latencySum).toBe(sum);
    let count: u32 = 0;
    for (let i: u32 = 0; i < 24; i++) count += bucket(i);
    expect<u32>(count).toBe(8);
    expect<u32>(bucket(0)).toBe(2, "below 512 ns");
    expect<u32>(bucket(1)).toBe(2, "512 .. 1023 ns");
    expect<u32>(bucket(2)).toBe(1, "1024 .. 2047 ns");
    expect<u32>(bucket(11)).toBe(1, "2^19 .. 2^20 ns");
    expect<u32>(bucket(23)).toBe(2, "from 2^31 ns on");
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 0)).toBe(0);
    receive(socket, 10);
    expectHandler(EVENT_READ, "not measured any more");
    readStatistics(jid);
    expect<u64>(statistics.latencySum).toBe(sum, "to be read until it begins anew");
    sys_evctl(jid, EVJOBHISTOGRAM, 1);
    readStatistics(jid);
    expect<u64>(statistics.latencySum).toBe(0);
    expect<u32>(bucket(23)).toBe(0);
  });

  it("each of several transitions has its own time", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    sys_evctl(jid, EVJOBHISTOGRAM, 1);
    transition(socket, 7, 2);
    transition(socket, 2, 1);
    fake.advance(5000);
    expectHandler(EVENT_SK, "first");
    fake.advance(300);
    expectHandler(EVENT_SK, "second, which became pending when the first was called");
    readStatistics(jid);
    expect<u64>(statistics.latencyMax).toBe(5000);
    expect<u64>(statistics.latencyMin).toBe(300);
  });
});

describe("EVJOBRETRY, and the limit of extras", () => {
  it("a starved event tries again", () => {
    const vmtable = currentProcess().vmtable;
    let blocks: u32 = 0;
    for (
      let block = <u32>vmtableAllocate(vmtable, 64);
      block != 0;
      block = <u32>vmtableAllocate(vmtable, 64)
    ) {
      store<u32>(zone(block), blocks);
      blocks = block;
    }
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(sys_evctl(jid, EVJOBRETRY, 0)).toBe(0, "nothing to do");
    receive(socket, 10);
    expectNone("no memory");
    expect<i32>(sys_evctl(jid, EVJOBRETRY, 0)).toBe(0);
    expect<bool>(currentThread().canDispatch).toBe(true);
    expectNone("still none");
    while (blocks != 0) {
      const next = load<u32>(zone(blocks));
      vmtableFree(vmtable, blocks);
      blocks = next;
    }
    expectNone("nobody said so");
    sys_evctl(jid, EVJOBRETRY, 0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING);
    expectRead(0, 10, "tried again");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(2);
  });

  it("there are fewer extras than events, and the limit is said", () => {
    let made: u32 = 0;
    let jid = onTimer(1000 * MILLISECOND, 0);
    while (sys_evctl(jid, EVJOBHISTOGRAM, 1) == 0) {
      made++;
      jid = onTimer(1000 * MILLISECOND, 0);
    }
    expect<u32>(made).toBe(extraPool().limit);
    expect<u32>(extraPool().objectSize).toBe(352, "as docs/aem-calls.md says");
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 1)).toBe(-ENOSPC);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(-ENOSPC);
    const reader = onRead(open(newStream()));
    expect<i32>(setTimeout(reader, 1)).toBe(-ENOSPC);
    expect<i32>(setTimeout(reader, 0)).toBe(0);
    expect<i32>(setFilter(reader, 0, 0, 0, 1)).toBe(-ENOSPC);
  });
});
