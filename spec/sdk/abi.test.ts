/**
 * Structs that cross the line between an application and the kernel stand three times: in the kernel, in the sdk for TypeScript and in that for C, since an
 * application and a kernel may be of different age. Here each pair of them has the same layout: field by field in TypeScript, and for C as clang lays it out.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import ts from "typescript";
import { ROOT } from "../../tools/paths.ts";
import { requireTool } from "../../tools/toolchain.ts";

const execute = promisify(execFile);

/** Bytes of a field; each is aligned to its size (AssemblyScript; wasm32's C). */
const SIZES: Record<string, number> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  usize: 4,
  u64: 8,
  i64: 8,
};

interface Layout {
  /** Up to the end of the last field. */
  size: number;
  /** Offset and name of each field. */
  fields: Map<number, string>;
}

/** The struct of the sdk, the kernel's, and C's. A struct that only one of the languages names is compared with the kernel's alone. `arrays`: bytes of those behind the fields for which TypeScript has none. `posix`: C has the names of POSIX. */
const structs: {
  sdk: [string, string];
  kernel?: [string, string];
  c?: string;
  arrays?: number[];
  posix?: boolean;
}[] = [
  {
    sdk: ["control.ts", "EventStatistics"],
    kernel: ["aem/abi.ts", "EventStatistics"],
    c: "event_statistics",
    // That of the latencies.
    arrays: [24 * 4],
  },
  { sdk: ["control.ts", "EventFilter"], kernel: ["aem/abi.ts", "EventFilter"], c: "event_filter" },
  { sdk: ["control.ts", "EventBuffer"], kernel: ["aem/abi.ts", "EventBuffer"], c: "event_buffer" },
  {
    sdk: ["processinfo.ts", "ProcessInformation"],
    kernel: ["kernel/process/processinfo.ts", "ProcessInformation"],
    c: "process_information",
  },
  {
    sdk: ["sysinfo.ts", "SystemInformation"],
    kernel: ["aem/sysinfo.ts", "SystemInformation"],
    c: "system_information",
  },
  {
    sdk: ["netinfo.ts", "NetworkInformation"],
    kernel: ["net/netinfo.ts", "NetworkInformation"],
    c: "network_information",
    // A router, name servers, and our addresses.
    arrays: [16, 4 * 16, 4 * 24],
  },
  {
    sdk: ["socket-options.ts", "tcp_info"],
    kernel: ["net/socket/tcp/info.ts", "TcpInfo"],
    c: "tcp_info",
    posix: true,
  },
  { sdk: ["socket-options.ts", "linger"], c: "linger", posix: true },
  { sdk: ["sockaddr.ts", "sockaddr_in"], c: "sockaddr_in", posix: true },
  { sdk: ["sockaddr.ts", "sockaddr_in6"], c: "sockaddr_in6", posix: true },
  {
    sdk: ["socket.ts", "msghdr"],
    kernel: ["net/socket/gather.ts", "MessageHeader"],
    c: "msghdr",
    posix: true,
  },
  { sdk: ["socket.ts", "iovec"], c: "iovec", posix: true },
  { sdk: ["poll.ts", "pollfd"], c: "pollfd", posix: true },
];

/** The fields of a class, laid out as asc does. */
async function layoutOf(file: string, name: string): Promise<Layout> {
  const source = ts.createSourceFile(file, await readFile(join(ROOT, file), "utf8"), ts.ScriptTarget.Latest);
  const found = source.statements.find(
    (each): each is ts.ClassDeclaration => ts.isClassDeclaration(each) && each.name?.text === name,
  );
  assert.ok(found, `${file} has no class ${name}`);
  const fields = new Map<number, string>();
  let size = 0;
  for (const member of found.members) {
    const fixed = ts.getCombinedModifierFlags(member as ts.Declaration) & ts.ModifierFlags.Static;
    if (!ts.isPropertyDeclaration(member) || fixed) continue;
    const type = member.type?.getText(source) ?? "";
    const bytes = SIZES[type];
    assert.ok(bytes, `${file}: ${name} has a field of type ${type}`);
    size = Math.ceil(size / bytes) * bytes;
    fields.set(size, member.name.getText(source));
    size += bytes;
  }
  return { size, fields };
}

/** What clang says of each struct of the sdk's headers. */
async function layoutsOfC(): Promise<Map<string, Layout>> {
  const folder = await mkdtemp(join(tmpdir(), "aemos-abi-"));
  try {
    const names = structs.flatMap(({ c }) => (c === undefined ? [] : [c]));
    const file = join(folder, "abi.c");
    await writeFile(
      file,
      `#include <aemos.h>\n${names.map((name) => `struct ${name} of_${name};\n`).join("")}`,
    );
    const options = ["--target=wasm32-unknown-unknown", "-std=gnu17", "-ffreestanding", "-nostdlibinc"];
    const { stdout } = await execute(await requireTool("clang"), [
      ...options,
      ...["-fsyntax-only", "-Xclang", "-fdump-record-layouts", "-I", join(ROOT, "sdk"), file],
    ]);
    const layouts = new Map<string, Layout>();
    for (const record of stdout.split("*** Dumping AST Record Layout\n")) {
      const [, name] = /^ *0 \| struct (\w+)$/m.exec(record) ?? [];
      const [, size] = /\[sizeof=(\d+),/.exec(record) ?? [];
      if (name === undefined || size === undefined) continue;
      const fields = new Map<number, string>();
      // Fields of fields stand further in.
      for (const [, offset, field] of record.matchAll(/^ *(\d+) \| {3}\S.* (\w+)$/gm))
        fields.set(Number(offset), field as string);
      layouts.set(name, { size: Number(size), fields });
    }
    return layouts;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Arrays of C that are numbered fields in TypeScript: the first of them. */
const ARRAYS: Record<string, string> = { address: "high", name: "name0", events_of_type: "types0" };

function sameName(inC: string, field: string): boolean {
  const snake = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return inC === snake || ARRAYS[inC] === field;
}

let ofC: Map<string, Layout>;
before(async () => {
  ofC = await layoutsOfC();
});

for (const { sdk, kernel, c, arrays = [], posix = false } of structs)
  test(`${sdk[1]} is laid out alike everywhere`, async () => {
    const own = await layoutOf(join("sdk", sdk[0]), sdk[1]);
    assert.ok(own.fields.size > 1);
    if (kernel) {
      const kernels = await layoutOf(...kernel);
      // The sdk may know fewer fields, at the end: the kernel writes what there is room for.
      const offsets = [...own.fields.keys()];
      assert.deepEqual(offsets, [...kernels.fields.keys()].slice(0, offsets.length), "sdk and kernel");
      assert.ok(own.size <= kernels.size);
    }
    if (c === undefined) return;
    const inC = ofC.get(c);
    assert.ok(inC, `no struct ${c} in the headers`);
    const places: number[] = [];
    let size = Math.ceil(own.size / 4) * 4;
    for (const bytes of arrays) {
      places.push(size);
      size += bytes;
    }
    assert.equal(inC.size, size, "size in C");
    for (const [offset, name] of inC.fields) {
      const field = own.fields.get(offset);
      if (field === undefined) assert.ok(places.includes(offset), `C has a field ${name} at ${offset}`);
      else if (!posix) assert.ok(sameName(name, field), `${name} in C is ${field}`);
    }
    assert.ok(inC.fields.has(0));
  });
