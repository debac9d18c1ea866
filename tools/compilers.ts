/**
 * The tools that are JavaScript, in threads that stay warm (compiler-thread.ts). `serve` lends them to other processes, which
 * find them by an environment variable: so `npm test` starts them once for all of its files.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { Worker } from "node:worker_threads";
import { messageOf } from "./errors.ts";
import { Slots } from "./slots.ts";

export interface Job {
  tool: string;
  /** Of asc: the file for its dependencies, then its arguments. Of others: path of the script, then its arguments. */
  list: readonly string[];
}

/** How a program ended, and what it wrote on its standard output and error. */
export interface Ended {
  status: number;
  output: string;
  errors: string;
}

/** Path of the socket of a process that serves. */
const SOCKET = "AEMOS_COMPILERS";

export function runCompiler(job: Job): Promise<Ended> {
  const path = process.env[SOCKET];
  return path === undefined ? runHere(job) : ask(path, job);
}

const slots = new Slots(availableParallelism());
const idle: Worker[] = [];

function runHere(job: Job): Promise<Ended> {
  return slots.use(async () => {
    const thread = idle.pop() ?? startThread();
    // Only a thread that works keeps the process alive.
    thread.ref();
    thread.postMessage(job);
    const ended = await answer(thread, job);
    thread.unref();
    return ended;
  });
}

/** A thread that has answered is idle; one that has ended is lost, and the next job has a new one. */
function answer(thread: Worker, { tool }: Job): Promise<Ended> {
  return new Promise((resolve) => {
    const settle = (ended: Ended): void => {
      thread.off("message", answered).off("error", failed).off("exit", exited);
      resolve(ended);
    };
    const answered = (ended: Ended): void => {
      idle.push(thread);
      settle(ended);
    };
    const failed = (error: unknown): void =>
      settle({ status: 1, output: "", errors: `${messageOf(error)}\n` });
    const exited = (): void => failed(`${tool} has ended its thread`);
    thread.on("message", answered).on("error", failed).on("exit", exited);
  });
}

/** A thread has no loader for TypeScript, whatever its process has. */
function startThread(): Worker {
  const loader = import.meta.resolve("tsx/esm/api");
  const program = new URL("compiler-thread.ts", import.meta.url).href;
  return new Worker(`import("${loader}").then(({ register }) => (register(), import("${program}")))`, {
    eval: true,
  });
}

async function ask(path: string, job: Job): Promise<Ended> {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.end(JSON.stringify(job));
  return (await json(socket)) as Ended;
}

/** Serves the processes that this one starts, until it ends: they inherit the variable. */
export async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "aemos-compilers-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "socket");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let request = "";
    socket.setEncoding("utf8").on("data", (text) => (request += text));
    socket.on("end", () => {
      void runHere(JSON.parse(request) as Job).then((ended) => socket.end(JSON.stringify(ended)));
    });
    // Whoever asked may have been stopped meanwhile.
    socket.on("error", () => undefined);
  });
  server.unref();
  server.listen(path);
  await once(server, "listening");
  process.env[SOCKET] = path;
}
