/** One build at a time in a build folder: a lock file with the number of the process that holds it. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "./errors.ts";

const LOCK_FILE = ".lock";
const POLL_MILLISECONDS = 50;

/** Builds of this process wait here for one another. */
let queue: Promise<unknown> = Promise.resolve();

/** Runs `work` while no other build, of this process or another, uses `folder`. */
export function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const result = queue.then(async () => {
    const path = join(folder, LOCK_FILE);
    await mkdir(folder, { recursive: true });
    await acquire(path);
    try {
      return await work();
    } finally {
      await rm(path, { force: true });
    }
  });
  queue = result.catch(() => undefined);
  return result;
}

async function acquire(path: string): Promise<void> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
    const holder = await readFile(path, "utf8").catch(() => "");
    // An empty file is one that its holder is about to write.
    if (holder !== "" && !alive(Number(holder))) await rm(path, { force: true });
    else await sleep(POLL_MILLISECONDS);
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}
