/** Types of spec/hal.js, for tools/fuzz.ts. */
export function createMachine(exports: () => WebAssembly.Exports): {
  hal: WebAssembly.ModuleImports;
  fake: WebAssembly.ModuleImports;
};
