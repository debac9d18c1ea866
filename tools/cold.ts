/**
 * Which functions of the kernel gcc makes small instead of fast (its attribute `cold`): what runs once, at boot, and what says how something ended. Calls of them are taken
 * for unlikely, so that what leads there is out of the way as well.
 */

/** Files of the kernel that print. */
const PRINTING = ["kernel/console", "kernel/panic", "kernel/symbols", "kernel/process/trap"];
/** Those that configure the interface, or say what is configured and counted, now and then. */
const SELDOM = [
  "net/dhcp",
  "net/option-reader",
  "net/slaac",
  "net/routers",
  "net/mld",
  "net/netinfo",
  "aem/sysinfo",
  "kernel/process/processinfo",
  "kernel/process/end",
];
const PREFIX = "w2c_kernel_";
const MAIN = `${PREFIX}main`;

const DEFINITION = /^(?:static )?\w+ (\w+)\([^;{]*\) \{\n([\s\S]*?)^\}\n/gm;
const NAME = /\b(?:wrap_)?w2c_kernel_\w+/g;
/** Entries of the function table: whoever calls them cannot be seen. */
const IN_TABLE = /\(wasm_rt_function_ptr_t\)(\w+)/g;
const EXPORT = /^\/\* export: '.*' \*\/\n\w+ (w2c_kernel_\w+)\(/gm;

/** What wasm2c puts in front of the names in a file. */
function prefixOf(file: string): string {
  return `${PREFIX}${`${file}/`.replaceAll("/", "0x2F").replaceAll("-", "0x2D")}`;
}

function reachable(calls: ReadonlyMap<string, readonly string[]>, roots: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const left = [...roots];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    left.push(...(calls.get(name) ?? []));
  }
  return found;
}

/** What only `main` leads to, and the files above. */
function coldFunctions(source: string): string[] {
  const bodies = [...source.matchAll(DEFINITION)].map(([, name = "", body = ""]) => [name, body] as const);
  const names = new Set(bodies.map(([name]) => name));
  const calls = new Map(
    bodies.map(([name, body]) => [name, (body.match(NAME) ?? []).filter((called) => names.has(called))]),
  );
  const exported = [...source.matchAll(EXPORT)].map(([, name = ""]) => name);
  const table = [...source.matchAll(IN_TABLE)].map(([, name = ""]) => name);
  const often = reachable(calls, [...exported.filter((name) => name !== MAIN), ...table]);
  const once = [...reachable(calls, [MAIN])].filter((name) => !often.has(name));
  const prefixes = [...PRINTING, ...SELDOM].map(prefixOf);
  const named = [...names].filter((name) =>
    prefixes.some((prefix) => name.replace(/^wrap_/, "").startsWith(prefix)),
  );
  return [...once, ...named];
}

/** The C of the kernel with those functions marked, where they are declared. */
export function withColdFunctions(source: string): string {
  const cold = new Set(coldFunctions(source));
  return source.replace(/^static \w+ (\w+)\([^;{]*\);$/gm, (line, name: string) =>
    cold.has(name) ? `__attribute__((cold)) ${line}` : line,
  );
}
