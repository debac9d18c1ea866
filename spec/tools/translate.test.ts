/** The post-pass over wasm2c's C, its mangling, and the type codes that the kernel compares handlers with. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { HANDLER_TYPES, syscallsSource, typeCode } from "../../tools/generate.ts";
import { ROOT } from "../../tools/paths.ts";
import { declarations, demangle, translate } from "../../tools/translate.ts";
import { assemble, temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
const LETTERS: Record<string, string> = { i: "i32", j: "i64", f: "f32", d: "f64" };
let source = "";
let header = "";

before(() => {
  // One function of each handler type, so that wasm2c writes their codes.
  const functions = HANDLER_TYPES.map((letters, i) => {
    const [parameters = "", results = ""] = letters.split(" ");
    const names = (types: string): string => [...types].map((letter) => LETTERS[letter]).join(" ");
    const result = results === "" ? "" : `(result ${names(results)})`;
    return `(func $handler${i} (param ${names(parameters)}) ${result} ${result === "" ? "" : "unreachable"})`;
  });
  const wasm = join(folder, "module.wasm");
  assemble(
    wasm,
    `(module
       (import "aemos" "sockasync_read" (func (param i32 i32 i32) (result i32)))
       (memory (export "memory") 1) (table ${HANDLER_TYPES.length} funcref)
       ${functions.join("\n")}
       (elem (i32.const 0) ${HANDLER_TYPES.map((_, i) => `$handler${i}`).join(" ")})
       (func (export "main") (result i32) i32.const 0))`,
  );
  const output = join(folder, "module.c");
  execFileSync(join(ROOT, "node_modules", ".bin", "wasm2c"), [wasm, "-n", "app_a-b", "-o", output]);
  source = readFileSync(output, "utf8");
  header = readFileSync(join(folder, "module.h"), "utf8");
});

test("the codes of the handler types are wasm2c's", () => {
  for (const letters of HANDLER_TYPES) {
    const code = [...typeCode(letters)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    assert.ok(source.includes(`= "${code}";`), `wasm2c has another code for ${letters}`);
  }
});

test("every macro that matters is replaced", () => {
  const kernel = translate("kernel.c", source, "kernel");
  assert.match(kernel, /#define MEM_ADDR_MEMOP\(mem, addr, n\) \(\(uint8_t\*\)\(uintptr_t\)\(addr\)\)/);
  assert.match(kernel, /#define RANGE_CHECK\(mem, offset, len\)\n/);
  const application = translate("application.c", source, "application");
  assert.match(
    application,
    /#define MEM_ADDR_MEMOP\(mem, addr, n\) \(aemos_window \+ \(uint64_t\)\(addr\)\)/,
  );
  assert.match(application, /aemos_range_ok/);
  assert.doesNotMatch(application, /mem\)->data\[addr\]/);
});

test("another wasm2c's output is refused, never taken as it is", () => {
  const changed = source.replace(
    "#define MEM_ADDR(mem, addr, n) &((mem)->data[addr])",
    "#define MEM_ADDR(m, a, n) &m->data[a]",
  );
  assert.throws(
    () => translate("kernel.c", changed, "kernel"),
    /kernel\.c: wasm2c's definition of MEM_ADDR is there 0 times, not once/,
  );
});

test("symbols are taken from wasm2c's header", () => {
  const { imports, exports } = declarations(header);
  assert.deepEqual(imports, [{ name: "sockasync_read", symbol: "w2c_aemos_sockasync_read", parameters: 4 }]);
  assert.deepEqual(
    exports.map(({ name, symbol }) => [name, symbol]),
    [
      ["memory", "w2c_app__a0x2Db_memory"],
      ["main", "w2c_app__a0x2Db_main"],
    ],
  );
});

test("the glue names the symbol that the application calls", () => {
  const text = syscallsSource([
    { name: "sys_sockasync_read", symbol: "w2c_kernel_sys_sockasync_read", parameters: 4 },
  ]);
  assert.match(text, /^SYSCALL\(w2c_aemos_sockasync_read, w2c_kernel_sys_sockasync_read, 3\)$/m);
});

test("names in a backtrace are those of the source", () => {
  const prefixes = new Map([
    ["w2c_app__http_", "http:"],
    ["w2c_kernel_", ""],
  ]);
  assert.equal(demangle("w2c_kernel_net0x2Fipv4_ipv4Output", prefixes), "net/ipv4_ipv4Output");
  assert.equal(demangle("w2c_kernel_net0x2Fipv40x2Fipv4Output.constprop.0", prefixes), "net/ipv4/ipv4Output");
  assert.equal(demangle("w2c_app__http_apps0x2Fhttp0x2Fmain0x2Fmain", prefixes), "http:apps/http/main/main");
  assert.equal(demangle("wrap_w2c_kernel_aem0x2Ftimer0x2FonTimer", prefixes), "aem/timer/onTimer");
  assert.equal(demangle("boot_start", prefixes), "boot_start");
});
