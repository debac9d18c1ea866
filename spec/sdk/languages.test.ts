/**
 * The sdk for TypeScript and that for C offer the same: each constant, struct, type of a handler and function of the one is in the other, by the same name (`onLink` is `on_link`),
 * but for what is listed here with its reason. That values, layouts and types agree is held by abi.test.ts, options.test.ts and spec/tools/sdk.test.ts.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { ROOT } from "../../tools/paths.ts";

const SDK = join(ROOT, "sdk");

/** Names that a source exports, with those of the sources that it exports on. */
function exportsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      const names = statement.exportClause;
      if (names && ts.isNamedExports(names)) return names.elements.map((element) => element.name.text);
      return exportsOf(join(dirname(file), `${(statement.moduleSpecifier as ts.StringLiteral).text}.ts`));
    }
    if (!(ts.getCombinedModifierFlags(statement as unknown as ts.Declaration) & ts.ModifierFlags.Export))
      return [];
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map((declaration) => declaration.name.getText(source));
    const { name } = statement as unknown as ts.DeclarationStatement;
    assert.ok(name, `${file} exports something without a name`);
    return [name.text];
  });
}

/** What a file of the header defines: calls, functions, numbers, structs, types. */
function definitionsOf(text: string): string[] {
  const patterns = [
    /^AEMOS_CALL\((\w+)\)/gm,
    /^static inline [^(]*?(\w+)\(/gm,
    /^#define (\w+)/gm,
    /^struct (\w+) \{/gm,
    /^typedef [^;(]*?(\w+)(?:;|\()/gm,
    /^\} (\w+);/gm,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = ""]) => name));
}

/** Name in C: `onLink` is `on_link`, `EventFilter` is `event_filter`. */
const snake = (name: string): string =>
  /^[A-Z\d_]+$/.test(name)
    ? name
    : name.replace(/(?<=[a-z\d])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

/** Other names for the same: a type that has one in POSIX, or would be too general in C. */
const RENAMED = new Map([
  ["NetworkAddress", "in6_addr"],
  ["InterfaceAddress", "network_address6"],
  ["Allocator", "event_allocator"],
]);

const ONLY_TYPESCRIPT = {
  "the calls of C check the type of the handler as they are": [
    "onAccept",
    "onRead",
    "onClose",
    "onState",
    "onSock",
    "onTimer",
  ],
  "in C a struct is filled in where it is made": ["setAddress", "setAddress6"],
  "libraries, of which C has none": [
    ...exportsOf(join(SDK, "dns.ts")),
    ...exportsOf(join(SDK, "pool.ts")),
    ...exportsOf(join(SDK, "deadline.ts")),
  ],
};
const ONLY_C = {
  "C has no default values of parameters": ["writev_flags", "listen_tcp6", "bind_udp6"],
  "fields of a sockaddr in C are in network order": [
    "htons",
    "ntohs",
    "htonl",
    "ntohl",
    "inet_addr",
    "INADDR_NONE",
  ],
  "POSIX has names for these types": [
    "sockaddr",
    "in_addr",
    "in_port_t",
    "in_addr_t",
    "socklen_t",
    "sa_family_t",
    "fd_set",
  ],
  "the language has this in TypeScript": ["memcpy", "memmove", "memset", "bzero", "memcmp", "strlen"],
};

const typescript = exportsOf(join(SDK, "index.ts"));
const c = readdirSync(join(SDK, "aemos"))
  .flatMap((name) => definitionsOf(readFileSync(join(SDK, "aemos", name), "utf8")))
  .filter((name) => !/^AEMOS_|^aemos_/.test(name));
const inC = (name: string): string => RENAMED.get(name) ?? snake(name);

test("what TypeScript offers, C does, but for what is listed", () => {
  assert.ok(typescript.length > 250, `${typescript.length} names`);
  const names = new Set(c);
  assert.deepEqual(
    typescript.filter((name) => !names.has(inC(name))).sort(),
    Object.values(ONLY_TYPESCRIPT).flat().sort(),
  );
});

test("what C offers, TypeScript does, but for what is listed", () => {
  const names = new Set(typescript.map(inC));
  assert.deepEqual(
    [...new Set(c)].filter((name) => !names.has(name)).sort(),
    Object.values(ONLY_C).flat().sort(),
  );
});
