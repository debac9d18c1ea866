/** Limits and policy of the current process, which a spec sets in its module, and events that it can activate. */
import { EVF_PRIORITY_SHIFT } from "../../aem/abi";
import { activate } from "../../aem/activation";
import { EVENT_HELD } from "../../aem/event";
import { eventOfJid } from "../../aem/jids";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { setConsoleSink } from "../../kernel/console";
import { upcallArgument1 } from "../../kernel/glue";
import { MODULE_EVENT_TYPES, ModuleDescriptor } from "../../kernel/process/module";
import { currentProcess } from "../../kernel/process/process";
import { initializeProcessInformation, PROCESS_INFORMATION_SIZE } from "../../kernel/process/processinfo";
import { usageOf } from "../../kernel/process/usage";
import { growMemory } from "../arena";
import * as fake from "../fake";
import { expectNothingLeft, onTimer, setUp } from "./driver";
import { nextHandler } from "./machine";

export const FAR: u64 = 1_000_000_000_000;

export function module(): ModuleDescriptor {
  return currentProcess().module;
}

export function setTypeLimit(type: u32, limit: u32): void {
  store<u64>(changetype<usize>(module()) + offsetof<ModuleDescriptor>("typeLimits") + (type << 3), limit);
}

function noLimits(): void {
  const m = module();
  m.eventLimit = m.activationLimit = m.descriptorLimit = m.refusedTypes = m.refusedExecutors = 0;
  for (let type: u32 = 0; type < MODULE_EVENT_TYPES; type++) setTypeLimit(type, 0);
}

/** A timer event that is far away: the spec activates it. */
export function event(priority: u32 = 32): i32 {
  const jid = onTimer(FAR, FAR, (priority + 1) << EVF_PRIORITY_SHIFT);
  assert(jid > 0, "registration");
  eventOfJid(currentProcess(), jid)!.count = 0;
  return jid;
}

/** As the job of timers does it. */
export function occur(jid: i32): void {
  const e = eventOfJid(currentProcess(), jid)!;
  e.count++;
  activate(e);
}

export function isHeld(jid: i32): bool {
  return eventOfJid(currentProcess(), jid)!.has(EVENT_HELD);
}

export function nextJid(): i32 {
  return nextHandler() == 0 ? 0 : <i32>upcallArgument1;
}

/** Before all tests. */
export function setUpPolicy(): void {
  setUp();
  fake.setPort(0x3ff, 0xae); // the serial port answers
  initializeSerial();
  setConsoleSink(serialPut.index);
  initializeProcessInformation(growMemory(PROCESS_INFORMATION_SIZE, 8));
}

/** After each test: the limits are gone, and nothing counts as used. */
export function expectNoLimitLeft(): void {
  noLimits();
  expectNothingLeft();
  const process = currentProcess();
  const usage = usageOf(process);
  assert(process.waitingCount == 0 && process.heldCount == 0, "counts of activated events");
  assert(process.held.isEmpty, "held");
  for (let type: u32 = 0; type < MODULE_EVENT_TYPES; type++)
    assert(usage.eventsOfType(type) == 0, "counts of types");
}
