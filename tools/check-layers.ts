/**
 * The layering check: imports run one way (docs/architecture.md), and only kernel/hal.ts of the kernel names the outside.
 * Run by itself it prints each violation as FILE:LINE and the rule, and fails when there is one.
 */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import ts from "typescript";
import { ROOT, isProgram } from "./paths.ts";

export interface Violation {
  /** Relative to the checkout. */
  file: string;
  line: number;
  rule: string;
}

interface Rule {
  /** Folder or file, relative to the checkout: the longest that matches a file decides. */
  room: string;
  /** Folders and files that it may import, itself aside. */
  may: readonly string[];
  /** Whether it may declare functions with @external. */
  external?: boolean;
}

/** In the order of the layers, from the bottom. */
const RULES: readonly Rule[] = [
  { room: "kernel/hal.ts", may: [], external: true },
  { room: "kernel", may: [] },
  { room: "net", may: ["kernel"] },
  { room: "drivers", may: ["net/device.ts", "net/buffer.ts", "net/levels.ts", "kernel"] },
  { room: "aem", may: ["net", "kernel"] },
  { room: "kernel/main.ts", may: ["kernel", "net", "drivers", "aem"] },
  { room: "sdk", may: [], external: true },
  { room: "apps", may: ["sdk"], external: true },
];

/** The composition root is nobody's to import. */
const COMPOSITION_ROOT = "kernel/main.ts";

function within(file: string, room: string): boolean {
  return file === room || file.startsWith(`${room}/`);
}

function ruleOf(file: string): Rule | undefined {
  const rules = RULES.filter(({ room }) => within(file, room));
  return rules.sort((a, b) => b.room.length - a.room.length)[0];
}

/** Violations in one file. `file` is relative to the checkout, with slashes. */
export function checkFile(file: string, source: string): Violation[] {
  const rule = ruleOf(file);
  if (rule === undefined) return [];
  const violations: Violation[] = [];
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const report = (node: ts.Node, text: string): void => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    violations.push({ file, line: line + 1, rule: text });
  };
  for (const statement of tree.statements) {
    const imports = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
    const from = imports ? statement.moduleSpecifier : undefined;
    if (from !== undefined && ts.isStringLiteral(from)) {
      const problem = importProblem(file, rule, from.text);
      if (problem !== undefined) report(from, problem);
    }
  }
  const visit = (node: ts.Node): void => {
    // The decorator of a declaration without a body is no syntax of TypeScript's, but its parser keeps it.
    if (ts.isDecorator(node) && !rule.external && /^@external\b/.test(node.getText(tree))) {
      report(
        node,
        `${rule.room} declares no @external functions: kernel/hal.ts is the only file of the kernel that does`,
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return violations;
}

function importProblem(file: string, rule: Rule, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) {
    return `${rule.room} imports "${specifier}": only files of the checkout can be imported`;
  }
  const path = join(dirname(file), specifier).split(sep).join("/");
  // "./timer" names timer.ts or timer/index.ts; for the rules it does not matter which.
  const target = path.endsWith(".ts") ? path : `${path}.ts`;
  const home = file === COMPOSITION_ROOT ? COMPOSITION_ROOT : topFolder(rule.room);
  if (target === COMPOSITION_ROOT) return `${file} imports the composition root: nobody does`;
  const allowed = [home, ...rule.may];
  if (allowed.some((room) => within(target, room) || within(path, room))) return undefined;
  const may = rule.may.length === 0 ? "nothing outside of itself" : `only ${rule.may.join(", ")}`;
  return `${home} imports ${path}: it may import ${may}`;
}

function topFolder(room: string): string {
  return room.split("/")[0] ?? room;
}

/** Violations in all files below `root`. */
export function checkLayers(root: string): Violation[] {
  const violations: Violation[] = [];
  for (const folder of new Set(RULES.map(({ room }) => topFolder(room)))) {
    let names: string[];
    try {
      names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    } catch {
      continue; // There is no such folder.
    }
    for (const name of names.filter((path) => path.endsWith(".ts")).sort()) {
      const path = join(root, folder, name);
      const file = relative(root, path).split(sep).join("/");
      violations.push(...checkFile(file, readFileSync(path, "utf8")));
    }
  }
  return violations;
}

if (isProgram(import.meta.url)) {
  const violations = checkLayers(process.argv[2] ?? ROOT);
  for (const { file, line, rule } of violations) process.stderr.write(`${file}:${line}: ${rule}\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
