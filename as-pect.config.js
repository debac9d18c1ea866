/**
 * as-pect: runs spec/**\/*.spec.ts over the real kernel code, with spec/hal.js in the place of boot/hal.h.
 *
 *     npx asp --summary                              all of them
 *     npx asp --verbose spec/kernel/memory.spec.ts   one file (any number of paths or globs), each test named
 *
 * Each spec file is compiled to a module of its own: few large files are faster than many small ones.
 */
import { createMachine } from "./spec/hal.js";

// as-pect adds the paths on its command line to `entries`; whoever names paths wants only those.
const named = process.argv.slice(2).some((argument) => argument.endsWith(".ts"));

export default {
  entries: named ? [] : ["spec/**/*.spec.ts"],
  disclude: [/node_modules/],
  async instantiate(memory, createImports, instantiate, binary) {
    let instance;
    const machine = createMachine(() => instance.exports);
    instance = await instantiate(binary, createImports({ env: { memory }, ...machine }));
    return instance;
  },
  outputBinary: false,
};
