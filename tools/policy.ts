/**
 * Limits and policy of an application as its manifest has them (AEM 3.5.3, 3.5.4), and what the build makes of them: bits of the
 * descriptor for event types and executors, other symbols in the application's object for system calls.
 */
import { UserError } from "./errors.ts";

/** Types of event by their numbers (aem/abi.ts). */
export const EVENT_TYPE_NAMES = [
  "accept",
  "read",
  "close",
  "sk",
  "sock",
  "timer",
  "message",
  "signal",
  "child",
  "memory",
  "overload",
  "link",
  "limit",
  "error",
] as const;
export type EventTypeName = (typeof EVENT_TYPE_NAMES)[number];

/** Executors by their bits in the descriptor (aem/limits.ts). */
export const EXECUTOR_NAMES = ["function", "thread", "fork", "capsule"] as const;
export type ExecutorName = (typeof EXECUTOR_NAMES)[number];

/** What is absent has the kernel's own limit. */
export interface LimitsEntry {
  events?: number;
  activations?: number;
  eventsOfType?: Partial<Record<EventTypeName, number>>;
  descriptors?: number;
}

/** What is absent is allowed. */
export interface PolicyEntry {
  calls?: string[];
  denyCalls?: string[];
  handlersAfter?: string[];
  events?: EventTypeName[];
  executors?: ExecutorName[];
}

/** The call that does nothing but run handlers. */
const KEEPALIVE = "enter_keepalive";

function refusedBits<T>(all: readonly T[], allowed: readonly T[] | undefined): number {
  if (allowed === undefined) return 0;
  return all.reduce((bits, name, bit) => (allowed.includes(name) ? bits : bits | (1 << bit)), 0);
}

/** Bit n: events of type n are refused. */
export function refusedTypes(policy: PolicyEntry): number {
  return refusedBits(EVENT_TYPE_NAMES, policy.events);
}

/** Bit n: executor n is refused. */
export function refusedExecutors(policy: PolicyEntry): number {
  return refusedBits(EXECUTOR_NAMES, policy.executors);
}

function mayCall({ calls, denyCalls }: PolicyEntry, name: string): boolean {
  return calls === undefined ? !(denyCalls?.includes(name) ?? false) : calls.includes(name);
}

/** What is wrong with a policy by itself: the key's path below it and the words, or undefined. */
export function policyComplaint(policy: PolicyEntry): string | undefined {
  const { calls, denyCalls, handlersAfter } = policy;
  if (calls !== undefined && denyCalls !== undefined)
    return `: "calls" says what is allowed and "denyCalls" what is not; give one of them`;
  if (handlersAfter !== undefined && !handlersAfter.includes(KEEPALIVE) && mayCall(policy, KEEPALIVE)) {
    return (
      `.handlersAfter: ${KEEPALIVE} is missing, which does nothing but run handlers: ` +
      `name it here, or refuse it ("denyCalls", or "calls" without it)`
    );
  }
  return undefined;
}

/** A UserError for the first name that is no system call. `where`: file and path of the application in it. */
export function checkCallNames(where: string, policy: PolicyEntry, calls: Iterable<string>): void {
  const known = new Set(calls);
  for (const key of ["calls", "denyCalls", "handlersAfter"] as const) {
    for (const [index, name] of (policy[key] ?? []).entries()) {
      if (known.has(name)) continue;
      const all = [...known].sort().join(", ");
      throw new UserError(
        `${where}.policy.${key}[${index}]: there is no system call "${name}" (known: ${all})`,
      );
    }
  }
}

/** What an application's import is bound to instead of the call: a prefix of the stub's symbol (boot/syscall.h). */
const CALL = "w2c_aemos_";
const REFUSED = "refused_aemos_";
const QUIET = "quiet_aemos_";

/**
 * Symbols of an application's object that get another name before it is linked, by symbol. What is allowed without
 * restriction keeps its name, so that it costs nothing. `symbols`: the system calls that it imports.
 */
export function boundElsewhere(policy: PolicyEntry, symbols: readonly string[]): [string, string][] {
  return symbols.flatMap((symbol): [string, string][] => {
    const name = symbol.slice(CALL.length);
    if (!mayCall(policy, name)) return [[symbol, REFUSED + name]];
    const quiet = policy.handlersAfter !== undefined && !policy.handlersAfter.includes(name);
    return quiet ? [[symbol, QUIET + name]] : [];
  });
}
