/**
 * The post-pass over the C that wasm2c (wabt 1.0.39) writes. Its macros are defined unconditionally, so exact lines are
 * replaced; a line that is not there (another wasm2c) is an error, never a silent fallback.
 *
 * Kernel: linear memory is physical memory, so an address is a pointer; bounds are the page tables'.
 * Application: linear memory stands at WINDOW_BASE (boot/layout.h), which is in a register (boot/app.h). Bulk operations check their whole range first.
 */

/** Lines to find, exactly once, and what stands in their place. */
interface Replacement {
  lines: string;
  with: string;
}

const MEM_ADDR = "#define MEM_ADDR(mem, addr, n) &((mem)->data[addr])\n";
const MEM_ADDR_MEMOP = "#define MEM_ADDR_MEMOP(mem, addr, n) MEM_ADDR(mem, addr, n)\n";
const FORCE_READ_INT = '#define FORCE_READ_INT(var) __asm__("" ::"r"(var));\n';
const FORCE_READ_FLOAT = '#define FORCE_READ_FLOAT(var) __asm__("" ::"r"(var));\n';
const RANGE_CHECK = `#define RANGE_CHECK(mem, offset, len)              \\
  do {                                             \\
    uint64_t res;                                  \\
    if (UNLIKELY(add_overflow(offset, len, &res))) \\
      TRAP(OOB);                                   \\
    if (UNLIKELY(res > (mem)->size))               \\
      TRAP(OOB);                                   \\
  } while (0);
`;
const LOAD_DATA = `#define LOAD_DATA(m, o, i, s)            \\
  do {                                   \\
    RANGE_CHECK((&m), o, s);             \\
    load_data(MEM_ADDR(&m, o, s), i, s); \\
  } while (0)
`;

/** All functions in a table are of this module (the build checks), so each type has one address. */
const SAME_TYPE: Replacement = {
  lines: "  return (a == b) || LIKELY(a && b && !memcmp(a, b, 32));\n",
  with: "  return a == b;\n",
};

const CHECK_CALL = `#define CHECK_CALL_INDIRECT(table, ft, x)                \\
  (LIKELY((x) < table.size && table.data[x].func &&      \\
          func_types_eq(ft, table.data[x].func_type)) || \\
   TRAP(CALL_INDIRECT))
`;
const DO_CALL = "#define DO_CALL_INDIRECT(table, t, x, ...) ((t)table.data[x].func)(__VA_ARGS__)\n";

const KERNEL: readonly Replacement[] = [
  // The kernel has one table, which is data of the image (instance.ts). An entry without a function has no type either.
  {
    lines: CHECK_CALL,
    with: `#include "instance.h"
#define CHECK_CALL_INDIRECT(table, ft, x) \\
  (LIKELY((x) < KERNEL_TABLE_ENTRIES && kernel_table[x].func_type == ft) || TRAP(CALL_INDIRECT))
`,
  },
  {
    lines: DO_CALL,
    with: "#define DO_CALL_INDIRECT(table, t, x, ...) ((t)kernel_table[x].func)(__VA_ARGS__)\n",
  },
  { lines: MEM_ADDR, with: "#define MEM_ADDR(mem, addr, n) ((uint8_t*)(uintptr_t)(addr))\n" },
  { lines: MEM_ADDR_MEMOP, with: "#define MEM_ADDR_MEMOP(mem, addr, n) ((uint8_t*)(uintptr_t)(addr))\n" },
  { lines: FORCE_READ_INT, with: "#define FORCE_READ_INT(var)\n" },
  { lines: FORCE_READ_FLOAT, with: "#define FORCE_READ_FLOAT(var)\n" },
  { lines: RANGE_CHECK, with: "#define RANGE_CHECK(mem, offset, len)\n" },
  SAME_TYPE,
  {
    lines: LOAD_DATA,
    with: "#define LOAD_DATA(m, o, i, s) wasm_rt_memcpy(MEM_ADDR(&m, o, s), i, s)\n",
  },
];

const WINDOW = "(aemos_window + (uint64_t)(addr))";
const APPLICATION: readonly Replacement[] = [
  { lines: MEM_ADDR, with: `#define MEM_ADDR(mem, addr, n) ${WINDOW}\n` },
  { lines: MEM_ADDR_MEMOP, with: `#define MEM_ADDR_MEMOP(mem, addr, n) ${WINDOW}\n` },
  SAME_TYPE,
  // A load that nobody uses may be left out, and with it the fault that it would have been, as in C; what is forced is an
  // instruction of its own, which could have been an operand.
  { lines: FORCE_READ_INT, with: "#define FORCE_READ_INT(var)\n" },
  { lines: FORCE_READ_FLOAT, with: "#define FORCE_READ_FLOAT(var)\n" },
  // One name for memories and tables: a memory has two valid ranges (boot/app.h), a table one.
  {
    lines: RANGE_CHECK,
    with: `static inline bool table_range_ok(uint32_t size, uint64_t offset, uint64_t len) {
  uint64_t end;
  return !add_overflow(offset, len, &end) && end <= size;
}
#define RANGE_CHECK(mem, offset, len)                                                            \\
  do {                                                                                           \\
    if (UNLIKELY(!_Generic((mem),                                                                \\
                     wasm_rt_memory_t*: aemos_range_ok((const void*)(mem), (offset), (len)),       \\
                     const wasm_rt_memory_t*: aemos_range_ok((const void*)(mem), (offset), (len)), \\
                     default: table_range_ok((uint32_t)(mem)->size, (offset), (len)))))            \\
      TRAP(OOB);                                                                                 \\
  } while (0);
`,
  },
];

export type Target = "kernel" | "application";

/** The post-pass. `file` is for the message when wasm2c's output is not the one that this was written for. */
export function translate(file: string, source: string, target: Target): string {
  let text = source;
  for (const { lines, with: replacement } of target === "kernel" ? KERNEL : APPLICATION) {
    const parts = text.split(lines);
    if (parts.length !== 2) {
      const name = lines.match(/#define (\w+)/)?.[1] ?? lines.trim();
      throw new Error(
        `${file}: wasm2c's definition of ${name} is there ${parts.length - 1} times, not once: ` +
          `the post-pass (tools/translate.ts) was written for wabt 1.0.39`,
      );
    }
    text = parts.join(replacement);
  }
  return target === "kernel" ? withOneInstance(text) : text;
}

/** In the functions of the kernel: its globals by their addresses, so that no register holds the instance and no call hands it on. */
function withOneInstance(text: string): string {
  return text
    .replace(/\binstance->w2c_0\.data\[var_\w+\]\.module_instance\b/g, "&kernel")
    .replace(/\binstance->/g, "kernel.");
}

/** A function that wasm2c declares in a header for an import or an export. */
export interface Declaration {
  /** Name of the wasm import or export. */
  name: string;
  /** Name of the C function. */
  symbol: string;
  /** Parameters of the C function, the instance among them. */
  parameters: number;
}

const DECLARATION = /^\/\* (import|export): '(.*)' \*\/\n[^\n(]*?(\w+)\(([^\n]*)\);$/gm;

/** The functions for imports and exports in a header of wasm2c's: the symbols are mangled there, so nobody else has to. */
export function declarations(header: string): { imports: Declaration[]; exports: Declaration[] } {
  const found: { imports: Declaration[]; exports: Declaration[] } = { imports: [], exports: [] };
  for (const [, kind, name = "", symbol = "", parameters = ""] of header.matchAll(DECLARATION)) {
    const count = parameters.split(",").length;
    if (kind === "export") found.exports.push({ name, symbol, parameters: count });
    else found.imports.push({ name: name.replace(/^.*' '/, ""), symbol, parameters: count });
  }
  return found;
}

/** Undoes wasm2c's mangling (0x2F for "/"), its wrappers of functions in tables, and gcc's suffixes. */
export function demangle(symbol: string, prefixes: ReadonlyMap<string, string>): string {
  let name = symbol.replace(/\.(?:constprop|part|isra|cold|lto_priv)\b.*$/, "").replace(/^wrap_(?=w2c_)/, "");
  for (const [prefix, shown] of prefixes) {
    if (name.startsWith(prefix)) {
      name =
        shown +
        name
          .slice(prefix.length)
          .replace(/0x([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
      break;
    }
  }
  return name;
}
