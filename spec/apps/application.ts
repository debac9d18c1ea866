/** A handler module that ships (apps/), run against the model of the system calls (mock.ts); and what holds of each of them. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { compile } from "./compile.ts";
import { Kernel } from "./mock.ts";

/** Compiles apps/NAME before the tests of the file. What it gives runs the module, and `script` as soon as its main waits for events; the module has to end with 0. */
export function application(name: string): (script: (kernel: Kernel) => void) => Kernel {
  let module: WebAssembly.Module;
  before(async () => {
    module = await compile(`apps/${name}/main.ts`);
  });

  test(`${name}: the module imports aemos only`, () => {
    for (const entry of WebAssembly.Module.imports(module)) assert.equal(entry.module, "aemos");
  });

  test(`${name}: no object is created that a collector would have to look for`, () => {
    const [names] = WebAssembly.Module.customSections(module, "name");
    assert.ok(names);
    const text = Buffer.from(names).toString("latin1");
    assert.ok(text.includes("accepted"), "functions have names");
    assert.equal(/rt\/(itcms|tcms)/.test(text), false);
  });

  return (script) => {
    const kernel = new Kernel();
    let ran = false;
    const status = kernel.run(module, () => {
      ran = true;
      script(kernel);
    });
    assert.equal(status, 0);
    assert.ok(ran, "main has not come to enter_keepalive");
    return kernel;
  };
}
