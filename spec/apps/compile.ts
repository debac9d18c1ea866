/** Compiles AssemblyScript with the options that the pipeline has for applications. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ascStep } from "../../tools/commands.ts";
import { BUILD } from "../../tools/paths.ts";
import { Steps } from "../../tools/steps.ts";

/** The module of a source, which is named by its path below the checkout. */
export async function compile(entry: string): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await readFile(await compileFile(entry)));
}

/** The path of its file. */
export async function compileFile(entry: string): Promise<string> {
  const output = join(BUILD, "test", "modules", `${entry.replaceAll("/", "-")}.wasm`);
  const options = ["--config", "asconfig.json", "--target", "application"];
  await new Steps().run(await ascStep(entry, [entry, "sdk/abort.ts"], output, options));
  return output;
}
