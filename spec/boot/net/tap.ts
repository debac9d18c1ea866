/** Runs a program in a network namespace: as root, or in a user namespace where one may be had. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../../tools/paths.ts";
import type { Plan, Session } from "./tap-session.ts";

export type { Session } from "./tap-session.ts";

/** What the program, given `argument` in JSON, has written in JSON. Rejects with the reason when there can be no namespace, or the program fails. */
export async function inNamespace<T>(program: string, argument: unknown): Promise<T> {
  // Who is not root becomes it in a user namespace.
  const spaces = process.getuid?.() === 0 ? ["--net"] : ["--net", "--map-root-user"];
  const words = [...spaces, "--", process.execPath, "--import", "tsx", program, JSON.stringify(argument)];
  const child = spawn("unshare", words, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const [status, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status !== 0) {
    const command = `unshare ${spaces.join(" ")}`;
    throw new Error(`nothing from a network namespace with a tap device (${command}): ${errors}`);
  }
  return JSON.parse(output) as T;
}

/** Rejects with the reason when there can be no namespace, no tap device in it, or no transfer. */
export function tapSession(plan: Plan): Promise<Session> {
  return inNamespace(join(import.meta.dirname, "tap-session.ts"), plan);
}
