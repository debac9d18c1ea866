/** Where things are in the checkout. */
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Everything that a build writes (git ignores it). */
export const BUILD = join(ROOT, "build");
/** Manifest of the image that is built when none is named. */
export const DEFAULT_MANIFEST = join(ROOT, "apps", "default.json");

/** Files below spec/ with this ending, relative to the checkout. */
export function findTests(ending: string): string[] {
  const names = readdirSync(join(ROOT, "spec"), { recursive: true, encoding: "utf8" });
  return names.flatMap((name) => (name.endsWith(ending) ? [join("spec", name)] : [])).sort();
}

/** A path as a message shows it: relative to the working directory where that is shorter. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== "" && short.length < path.length ? short : path;
}

/** Whether the module with this `import.meta.url` is the program that was started. */
export function isProgram(url: string): boolean {
  const program = process.argv[1];
  return program !== undefined && pathToFileURL(program).href === url;
}
