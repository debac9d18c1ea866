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
  offsets: number[];
}

/** The struct of the sdk, the kernel's, and C's. A struct that only one of the languages names is compared with the kernel's alone. */
const structs: { sdk: [string, string]; kernel?: [string, string]; c?: string; buckets?: number }[] = [
  {
    sdk: ["control.ts", "EventStatistics"],
    kernel: ["aem/abi.ts", "EventStatistics"],
    c: "event_statistics",
    // An array that TypeScript has no field for.
    buckets: 24,
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
  },
  { sdk: ["socket.ts", "tcp_info"], kernel: ["net/socket/tcp/info.ts", "TcpInfo"], c: "tcp_info" },
  { sdk: ["socket.ts", "sockaddr_in"], c: "sockaddr_in" },
  { sdk: ["socket.ts", "sockaddr_in6"], c: "sockaddr_in6" },
  { sdk: ["socket.ts", "msghdr"], kernel: ["net/socket/gather.ts", "MessageHeader"], c: "msghdr" },
  { sdk: ["socket.ts", "iovec"], c: "iovec" },
  { sdk: ["poll.ts", "pollfd"], c: "pollfd" },
];

/** The fields of a class, laid out as asc does. */
async function layoutOf(file: string, name: string): Promise<Layout> {
  const source = ts.createSourceFile(file, await readFile(join(ROOT, file), "utf8"), ts.ScriptTarget.Latest);
  const found = source.statements.find(
    (each): each is ts.ClassDeclaration => ts.isClassDeclaration(each) && each.name?.text === name,
  );
  assert.ok(found, `${file} has no class ${name}`);
  const offsets: number[] = [];
  let size = 0;
  for (const member of found.members) {
    const fixed = ts.getCombinedModifierFlags(member as ts.Declaration) & ts.ModifierFlags.Static;
    if (!ts.isPropertyDeclaration(member) || fixed) continue;
    const type = member.type?.getText(source) ?? "";
    const bytes = SIZES[type];
    assert.ok(bytes, `${file}: ${name} has a field of type ${type}`);
    size = Math.ceil(size / bytes) * bytes;
    offsets.push(size);
    size += bytes;
  }
  return { size, offsets };
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
      ...["-fsyntax-only", "-Xclang", "-fdump-record-layouts-simple", "-I", join(ROOT, "sdk"), file],
    ]);
    const layouts = new Map<string, Layout>();
    for (const [, name, size, list] of stdout.matchAll(
      /Type: struct (\w+)\n[\s\S]*?\n {2}Size:(\d+)\n[\s\S]*?FieldOffsets: \[([\d, ]*)\]/g,
    ))
      layouts.set(name as string, {
        size: Number(size) / 8,
        offsets: (list as string).split(", ").map((bits) => Number(bits) / 8),
      });
    return layouts;
  } finally {
    await rm(folder, { recursive: true });
  }
}

let ofC: Map<string, Layout>;
before(async () => {
  ofC = await layoutsOfC();
});

for (const { sdk, kernel, c, buckets = 0 } of structs)
  test(`${sdk[1]} is laid out alike everywhere`, async () => {
    const own = await layoutOf(join("sdk", sdk[0]), sdk[1]);
    assert.ok(own.offsets.length > 1);
    if (kernel) {
      const kernels = await layoutOf(...kernel);
      // The sdk may know fewer fields, at the end: the kernel writes what there is room for.
      assert.deepEqual(own.offsets, kernels.offsets.slice(0, own.offsets.length), "sdk and kernel");
      assert.ok(own.size <= kernels.size);
    }
    if (c === undefined) return;
    const inC = ofC.get(c);
    assert.ok(inC, `no struct ${c} in the headers`);
    assert.equal(inC.size, Math.ceil(own.size / 4) * 4 + buckets * 4, "size in C");
    // An array of C is several fields here.
    for (const offset of inC.offsets)
      assert.ok(
        own.offsets.includes(offset) || (buckets > 0 && offset === own.size),
        `C has a field at ${offset}`,
      );
    assert.equal(inC.offsets[0], 0);
  });
