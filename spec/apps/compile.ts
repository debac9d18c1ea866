/** Compiles AssemblyScript to a module in memory, with the options that the pipeline has for applications. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { main } from "assemblyscript/asc";

/** `texts`: files by name that take the place of those on the disk. Run it in the checkout's folder, as `npm test` does. */
export async function compile(
  entry: string,
  texts: ReadonlyMap<string, string> = new Map(),
): Promise<WebAssembly.Module> {
  let binary: Uint8Array | undefined;
  const options = ["--config", "asconfig.json", "--target", "application", "--outFile", "module.wasm"];
  const { error, stderr } = await main([entry, "sdk/abort.ts", ...options], {
    readFile: async (name, folder) =>
      texts.get(name) ?? readFile(join(folder, name), "utf8").catch(() => null),
    writeFile: (name, contents) => {
      if (name === "module.wasm") binary = contents as Uint8Array;
    },
  });
  if (error !== null || binary === undefined) throw new Error(`${entry}: ${stderr.toString()}`);
  return new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
}
