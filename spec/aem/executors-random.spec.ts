/** Handlers in clones and capsules in random order: nothing is lost or given back twice. */
import {
  EVENT_STARVED,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventPool } from "../../aem/jids";
import { SHORT_PLACE } from "../../aem/job";
import { retryStarved } from "../../aem/queue";
import { upcallArgument1, upcallArgument4 } from "../../kernel/glue";
import { freeFrameCount } from "../../kernel/memory/frames";
import { sys_waitpid } from "../../kernel/process/family";
import { sys_close } from "../../net/socket/calls";
import { chance, seedChance } from "../chance";
import { endNow } from "../reap";
import { become, children, expectAllGone, main, setUpClones } from "./clones";
import { onRead, readStatistics } from "./driver";
import { FakeSocket, newStream, nextHandler, open, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

let launched = 0;
let killed = 0;
let starved = 0;

describe("3.5.1 executors in random interleavings", () => {
  it("lose no byte and no event, and give all back", () => {
    randomRuns();
    // The pools have what they need.
    const frames = freeFrameCount();
    randomRuns();
    expect<u32>(freeFrameCount()).toBe(frames);
    expect<i32>(launched).toBeGreaterThan(300);
    expect<i32>(killed).toBeGreaterThan(100);
    expect<i32>(starved).toBeGreaterThan(0);
  });
});

function randomRuns(): void {
  for (let seed: u32 = 1; seed <= 8; seed++) {
    seedChance(seed);
    const sockets: FakeSocket[] = [];
    const jids: i32[] = [];
    const descriptors: i32[] = [];
    const got: u32[] = [];
    for (let i = 0; i < 4; i++) {
      const socket = newStream();
      sockets.push(socket);
      descriptors.push(open(socket));
      const flags = i == 0 ? 0 : i == 1 ? EVF_FORK : i == 2 ? EVF_FORK | EVF_NOCLDWAIT : EVF_CAPSULE;
      jids.push(onRead(descriptors[i], flags));
      got.push(0);
    }
    for (let step = 0; step < 250; step++) {
      const what = chance(100);
      if (what < 40) receive(sockets[chance(4)], 1 + chance(3000));
      else if (what < 60) take(jids, got);
      else if (what < 85) {
        const list = children();
        if (list.length == 0) continue;
        const clone = list[chance(list.length)];
        if (clone.thread.assigned == 0 && clone.thread.handling == 0) continue;
        drainMain(jids, got);
        become(clone);
        take(jids, got);
        if (chance(2) == 0) take(jids, got);
        const done = clone.thread.handling == 0 && !clone.thread.canDispatch;
        become(main);
        // As `serve` does it: the end, or the capsules' list.
        if (done && (clone.childFlags & 4) == 0) endNow(clone, 0);
        else if (done) {
          main.capsules.append(clone.capsule);
          retryStarved(main, SHORT_PLACE);
        }
        launched++;
      } else if (what < 92) {
        const list = children();
        if (list.length == 0) continue;
        endNow(list[chance(list.length)], 9);
        killed++;
      } else if (what < 97) sys_waitpid(-1, 0, 1);
      else
        for (let i = 0; i < 4; i++) if ((sys_evctl(jids[i], EVJOBLOOKUP, 0) & EVENT_STARVED) != 0) starved++;
      for (let i = 0; i < 4; i++) readStatistics(jids[i]);
    }
    // All that came is fetched by somebody in the end.
    for (let round = 0; round < 400; round++) {
      drainMain(jids, got);
      const list = children();
      for (let i = 0; i < list.length; i++) {
        if (list[i].thread.assigned == 0 && list[i].thread.handling == 0) continue;
        drainMain(jids, got);
        become(list[i]);
        while (take(jids, got)) {}
        become(main);
        endNow(list[i], 0);
      }
      while (sys_waitpid(-1, 0, 1) > 0) {}
      let left: u32 = 0;
      for (let i = 0; i < 4; i++) left += sockets[i].came - sockets[i].went;
      if (left == 0) break;
    }
    for (let i = 0; i < 4; i++) {
      assert(sockets[i].went == sockets[i].came, "data that nobody fetched");
      assert(got[i] == sockets[i].came, "bytes that were fetched and not delivered");
      sys_evctl(jids[i], EVJOBSHTDN, SHUTDOWN_DROP);
    }
    drainMain(jids, got);
    const rest = children();
    for (let i = 0; i < rest.length; i++) endNow(rest[i], 0);
    while (sys_waitpid(-1, 0, 1) > 0) {}
    for (let i = 0; i < 4; i++) {
      assert(sys_close(descriptors[i]) == 0, "close");
      assert(sockets[i].closed == 1 && sockets[i].sharers == 0, "closed once");
    }
    assert(eventPool().inUse == 0, "events in the pool");
    assert(main.vmtable.blocks == 0, "blocks");
  }
}

/** One step of the glue in the current process; what a handler got is counted and checked. */
function take(jids: i32[], got: u32[]): bool {
  if (nextHandler() == 0) return false;
  const index = jids.indexOf(<i32>upcallArgument1);
  assert(index >= 0, "whose?");
  got[index] += upcallArgument4;
  return true;
}

/** Until the main process has nothing to do: only then can another one come to run. */
function drainMain(jids: i32[], got: u32[]): void {
  while (take(jids, got)) {}
}
