/**
 * Image manifests: reads one, checks it against image.schema.json and fills the defaults in. An application by itself (a
 * folder, a source, a module) gets the manifest that it implies.
 */
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import { UserError, hasCode, messageOf } from "./errors.ts";
import { ROOT, shown } from "./paths.ts";
import { type LimitsEntry, type PolicyEntry, policyComplaint } from "./policy.ts";
import { repeated } from "./ports.ts";

/** File that makes a folder an application's. */
export const MANIFEST_FILE = "aemos.json";

export interface ApplicationEntry {
  name: string;
  /** Absolute path, .ts, .c or .wasm. */
  module: string;
  /** Of AssemblyScript. */
  runtime: "incremental" | "minimal" | "stub";
  memoryMiB: number;
  stackKiB: number;
  vmtableKiB: number;
  /** Of the main code: 0 .. 63. */
  priority: number;
  /** Most of the processor in each period: 1 .. 100. */
  cpuPercent: number;
  /** Worker threads for EVF_THREAD, if the manifest says; and the native stack of each. */
  threads?: number;
  threadStackKiB: number;
  /** Most forked children at once, and most of them that are kept. */
  children: number;
  capsules: number;
  /** Whether it is started at boot. */
  start: boolean;
  limits: LimitsEntry;
  policy: PolicyEntry;
}

export interface ForwardEntry {
  host: number;
  guest: number;
  protocol: "tcp" | "udp";
}

/** Of all TCP connections of the image. */
export type CongestionControl = "cubic" | "newreno";

export interface Manifest {
  /** Where it came from, for messages. */
  file: string;
  name: string;
  description: string;
  applications: ApplicationEntry[];
  memoryMiB: number;
  append: string;
  /** Share of the default priority and below under load of the higher ones. */
  reservePercent: number;
  congestion: CongestionControl;
  forward: ForwardEntry[];
}

/** useDefaults fills the rest in. */
type Written = Omit<Manifest, "file" | "description" | "forward"> & {
  description?: string;
  forward?: ForwardEntry[];
};

const schema = JSON.parse(readFileSync(join(ROOT, "tools", "image.schema.json"), "utf8")) as object;
const validate = new Ajv({ allErrors: true, useDefaults: true, verbose: true }).compile<Written>(schema);

/** Reads the manifest that `path` names or implies; a UserError says what is wrong and where. */
export async function loadManifest(path: string): Promise<Manifest> {
  const absolute = resolve(path);
  const kind = await stat(absolute).catch(() => {
    throw new UserError(`${path}: there is no such file or folder`);
  });
  if (kind.isDirectory()) return readManifest(join(absolute, MANIFEST_FILE), path);
  switch (extname(absolute)) {
    case ".json":
      return readManifest(absolute, path);
    case ".ts":
    case ".c":
    case ".wasm":
      return implied(absolute);
    default:
      throw new UserError(
        `${path}: neither a manifest (.json), nor a source (.ts, .c), a module (.wasm) or an application's folder`,
      );
  }
}

async function readManifest(file: string, asked: string): Promise<Manifest> {
  const name = shown(file);
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    const absent = hasCode(error, "ENOENT") && basename(file) === MANIFEST_FILE;
    throw new UserError(absent ? `${asked}: the folder has no ${MANIFEST_FILE}` : messageOf(error));
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${name}: not JSON: ${messageOf(error)}`);
  }
  return check(name, value, dirname(file));
}

/** The manifest of an image with this one application and all defaults. */
async function implied(file: string): Promise<Manifest> {
  const base = basename(file, extname(file));
  const stem = base === "main" || base === "index" ? basename(dirname(file)) : base;
  const name = stem
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 31);
  const value = {
    name: name || "application",
    applications: [{ name: name || "application", module: basename(file) }],
  };
  return check(shown(file), value, dirname(file));
}

async function check(file: string, value: unknown, folder: string): Promise<Manifest> {
  if (!validate(value)) {
    const complaints = (validate.errors ?? []).map(complaint);
    throw new UserError(`${file}: ${[...new Set(complaints)].join(`\n${file}: `)}`);
  }
  const applications = value.applications.map((entry) => ({
    ...entry,
    module: resolve(folder, entry.module),
  }));
  const names = new Set<string>();
  for (const [index, { name, module, policy }] of applications.entries()) {
    const refused = policyComplaint(policy);
    if (refused !== undefined) throw new UserError(`${file}: applications[${index}].policy${refused}`);
    if (names.has(name)) throw new UserError(`${file}: two applications are named "${name}"`);
    names.add(name);
    const found = await stat(module).catch(() => undefined);
    if (!found?.isFile())
      throw new UserError(`${file}: application "${name}": there is no module ${shown(module)}`);
  }
  const forward = (value.forward ?? []).map((entry) => ({ ...entry }));
  const twice = repeated(forward.map(({ host, protocol }) => `${host}/${protocol}`));
  if (twice !== undefined) throw new UserError(`${file}: port ${twice} of the host is forwarded twice`);
  const { name, memoryMiB, append, reservePercent, congestion } = value;
  const description = value.description ?? "";
  return { file, name, description, applications, memoryMiB, append, reservePercent, congestion, forward };
}

/** One of ajv's errors in our words: where, and what is wrong. */
function complaint(error: ErrorObject): string {
  const path = error.instancePath.split("/").slice(1);
  const where = path.length === 0 ? "" : `${path.join(".").replace(/\.(\d+)/g, "[$1]")}: `;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties": {
      const known = Object.keys((error.parentSchema as { properties: object }).properties);
      return `${where}there is no key "${String(params["additionalProperty"])}" (known: ${known.join(", ")})`;
    }
    case "required":
      return `${where}the key "${String(params["missingProperty"])}" is missing`;
    case "enum":
      return `${where}${JSON.stringify(error.data)} is none of ${(params["allowedValues"] as unknown[]).join(", ")}`;
    case "type":
      return `${where}${JSON.stringify(error.data)} is not of type ${String(params["type"])}`;
    default:
      return `${where}${JSON.stringify(error.data)} ${error.message}`;
  }
}
