/** What the README says about the project is so: its example, its options, its links. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { BUILD } from "../../tools/paths.ts";
import { writeFiles } from "../tools/support.ts";
import { compile } from "./compile.ts";
import { Kernel } from "./mock.ts";

const readme = readFileSync("README.md", "utf8");
const guide = readFileSync("docs/handler-guide.md", "utf8");

test("README: the first handler is apps/hello/main.ts, in fifteen lines", () => {
  const [, example = ""] = readme.match(/```ts\n([\s\S]*?)```/) ?? [];
  assert.equal(example, readFileSync("apps/hello/main.ts", "utf8"));
  assert.equal(example.trimEnd().split("\n").length, 15);
});

test("README: the first handler runs", async () => {
  const module = await compile("apps/hello/main.ts");
  const kernel = new Kernel();
  kernel.run(module, () => {
    const client = kernel.connect(2000).send("hello");
    assert.equal(client.text(), "hello");
    client.end();
    assert.ok(client.closed);
  });
  assert.equal(kernel.calls.get("enter_keepalive"), 1);
});

test("README: the options are those of the command line", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["tools/aemos.mjs", "run", "--help"]);
  const options = (text: string): string[] => [...new Set(text.match(/(?<=[\s`(])--[a-z]+/g))].sort();
  const [, section = ""] = readme.match(/\n## Options[^\n]*\n([\s\S]*?)\n## /) ?? [];
  assert.deepEqual(
    options(section),
    options(stdout).filter((option) => option !== "--help"),
  );
});

for (const [name, text, folder] of [
  ["README.md", readme, "."],
  ["handler-guide.md", guide, "docs"],
  ["c-applications.md", readFileSync("docs/c-applications.md", "utf8"), "docs"],
] as const) {
  test(`${name}: links lead somewhere`, () => {
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
    for (const link of links) if (!/^https?:/.test(link)) assert.ok(existsSync(`${folder}/${link}`), link);
    assert.ok(links.length > 0);
  });
}

test("handler-guide.md: the pieces of code compile", async () => {
  const pieces = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, piece = ""]) => piece);
  assert.ok(pieces.length > 0);
  // Together they are one application, in a folder as deep as those of apps/.
  writeFiles(BUILD, { "test/guide.ts": pieces.join("\n") });
  await compile("build/test/guide.ts");
});
