/** Compiles AssemblyScript to a module in memory, with the options that the pipeline has for applications. */
import { main } from "assemblyscript/asc";

export async function compile(entry: string): Promise<WebAssembly.Module> {
  let binary: Uint8Array | undefined;
  const args = [
    entry,
    "sdk/abort.ts",
    "--config",
    "asconfig.json",
    "--target",
    "application",
    "--outFile",
    "module.wasm",
  ];
  const { error, stderr } = await main(args, {
    writeFile: (name, contents) => {
      if (name === "module.wasm") binary = contents as Uint8Array;
    },
  });
  if (error !== null || binary === undefined) throw new Error(`${entry}: ${stderr.toString()}`);
  return new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
}
