/** How tests wait for what has to come: without a wish about the speed of the host, so that a limit is met only where something never comes. */
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds for what a quiet host does at once. Nothing takes so long that works. */
export const PATIENCE = 30_000;
/** Between two looks, in milliseconds. */
const LOOK_AGAIN = 10;

/**
 * Looks until `holds` returns something that is true, and returns that. Rejects after `ms` with what was waited for; a look that was begun in time is the last one.
 * `what`: asked for then, since it may say what was there instead.
 */
export async function until<T>(
  what: string | (() => string),
  holds: () => T | Promise<T>,
  ms = PATIENCE,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const begun = performance.now();
    const found = await holds();
    if (found) return found;
    if (begun >= deadline)
      throw new Error(`not within ${ms} ms: ${typeof what === "string" ? what : what()}`);
    await sleep(LOOK_AGAIN);
  }
}
