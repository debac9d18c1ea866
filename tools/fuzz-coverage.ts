/** Which functions of net/ the fuzzer gets into: each of its module is made to say so when it is entered. */
import binaryen from "binaryen";

/** The types say that this is a member of a module. */
const functions = (binaryen as unknown as Pick<binaryen.Module, "Function">).Function;

/** The folder whose functions count. */
const COUNTED = "net/";

export class Coverage {
  readonly module: WebAssembly.Module;
  private readonly names: string[] = [];
  private readonly entered: Uint8Array;

  /** `wasm`: the module with the names of its functions, not optimized: what is inlined is not seen. */
  constructor(wasm: Uint8Array) {
    const module = binaryen.readBinary(wasm);
    module.addFunctionImport("fuzz/enter", "fuzz", "enter", binaryen.i32, binaryen.none);
    for (let index = 0; index < module.getNumFunctions(); index++) {
      const pointer = module.getFunctionByIndex(index);
      const name = functions.getName(pointer);
      const body = functions.getBody(pointer);
      if (!name.startsWith(COUNTED) || body === 0) continue;
      const entry = module.call("fuzz/enter", [module.i32.const(this.names.length)], binaryen.none);
      functions.setBody(pointer, module.block(null, [entry, body], functions.getResults(pointer)));
      this.names.push(name);
    }
    this.entered = new Uint8Array(this.names.length);
    this.module = new WebAssembly.Module(module.emitBinary() as BufferSource);
    module.dispose();
  }

  readonly enter = (index: number): void => {
    this.entered[index] = 1;
  };

  /** How many there are, and those that were not entered. */
  report(): string {
    const missing = this.names.filter((_, index) => this.entered[index] === 0).sort();
    const share = `${this.names.length - missing.length} of ${this.names.length} functions of ${COUNTED} were entered`;
    return missing.length === 0 ? share : `${share}; never:\n${missing.join("\n")}`;
  }
}
