/** Handles: against a model, their numbers, and their end without frames. */
import { EMFILE, ENOMEM } from "../../kernel/errno";
import { allocateFrames, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import {
  closeAllHandles,
  closeSomeHandles,
  freeHandleTable,
  HANDLE_LIMIT,
  handleInstall,
  handleObject,
  handleRemove,
  shareHandles,
} from "../../kernel/process/handles";
import { endNow } from "../reap";
import { chance, seedChance } from "../chance";
import { abandoned, newProcess, setUp } from "./process-machine";

beforeAll(setUp);

describe("handles", () => {
  it("does what a model does, in random operations, and gives all frames back", () => {
    seedChance(1);
    const process = newProcess();
    const before = freeFrameCount();
    const model = new Map<i32, u32>();
    let wrong = 0;
    let highest = 0;
    for (let i = 0; i < 20_000; i++) {
      const what = chance(10);
      if (what < 5) {
        const object = chance(0x7fff_ffff) + 1;
        const handle = handleInstall(process, object, 1 + (object & 1));
        if (handle < 0 || model.has(handle)) wrong++;
        if (handle > highest) highest = handle;
        model.set(handle, object);
      } else {
        const handle = <i32>chance(2 * highest + 2) - <i32>chance(4);
        const known = model.has(handle);
        const object = known ? model.get(handle) : 0;
        const kind = 1 + (object & 1);
        if (handleObject(process, handle, kind) != object) wrong++;
        if (handleObject(process, handle, 3 - kind) != 0) wrong++;
        if (what < 9) {
          if (handleRemove(process, handle) != object) wrong++;
          model.delete(handle);
          // It is stale now.
          if (handleObject(process, handle, kind) != 0 || handleRemove(process, handle) != 0) wrong++;
        }
      }
      if (process.handleCount != <u32>model.size) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    let ofKind1 = 0;
    const keys = model.keys();
    for (let i = 0; i < keys.length; i++) if ((model.get(keys[i]) & 1) == 0) ofKind1++;
    const abandonedBefore = abandoned;
    closeAllHandles(process);
    freeHandleTable(process);
    expect<i32>(abandoned - abandonedBefore).toBe(ofKind1, "each object of the kind is let go of once");
    expect<u32>(freeFrameCount()).toBe(before);
    expect<usize>(handleObject(process, 0, 1)).toBe(0);
    endNow(process, 0);
  });

  it("gives low numbers out first, and ends with -EMFILE", () => {
    const process = newProcess();
    let wrong = 0;
    for (let i: u32 = 0; i < HANDLE_LIMIT; i++) if (handleInstall(process, 8, 2) != <i32>i) wrong++;
    expect<i32>(wrong).toBe(0);
    expect<i32>(handleInstall(process, 8, 2)).toBe(-EMFILE);
    expect<usize>(handleObject(process, -1, 2)).toBe(0);
    expect<usize>(handleObject(process, i32.MIN_VALUE, 2)).toBe(0);
    expect<usize>(handleObject(process, i32.MAX_VALUE, 2)).toBe(0);
    expect<usize>(handleObject(process, <i32>HANDLE_LIMIT, 2)).toBe(0);
    expect<usize>(handleRemove(process, 77)).toBe(8);
    expect<i32>(handleInstall(process, 8, 2)).toBe(77);
    endNow(process, 0);
  });

  it("says -ENOMEM without frames, and works again with them", () => {
    const process = newProcess();
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    expect<i32>(handleInstall(process, 8, 1)).toBe(-ENOMEM);
    freeFrames(taken.pop(), 0);
    expect<i32>(handleInstall(process, 8, 1)).toBe(-ENOMEM, "the directory alone does not do");
    freeFrames(taken.pop(), 0);
    expect<i32>(handleInstall(process, 8, 1)).toBe(0);
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    endNow(process, 0);
  });

  it("a process that is losing them has none: nothing is shared of a table that is half closed", () => {
    const parent = newProcess();
    const before = freeFrameCount();
    const abandonedBefore = abandoned;
    const count = 1000;
    for (let i = 0; i < count; i++) handleInstall(parent, 8, 1);
    let wrong = 0;
    for (let steps = 0; !closeSomeHandles(parent, true); steps++) {
      if (handleObject(parent, 0, 1) != 0 || parent.handleCount != 0) wrong++;
      if (steps % 50 != 0) continue;
      const child = newProcess();
      expect<bool>(shareHandles(parent, child)).toBe(true);
      for (let i = 0; i < 600; i++) if (handleInstall(child, 16, 2) != i) wrong++;
      for (let i = 0; i < 600; i++) if (handleRemove(child, i) != 16) wrong++;
      if (child.handleCount != 0) wrong++;
      endNow(child, 0);
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(abandoned - abandonedBefore).toBe(count, "each once");
    expect<i32>(handleInstall(parent, 8, 1)).toBe(0, "it begins anew");
    closeAllHandles(parent);
    freeHandleTable(parent);
    expect<u32>(freeFrameCount()).toBe(before);
    endNow(parent, 0);
  });
});
