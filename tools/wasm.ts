/**
 * Reads what the pipeline has to know of a wasm module: the exact types of its imports and exports, its memories and
 * tables, and where its data lie. WebAssembly Core Specification 2.0, chapter 5 (binary format).
 */
import { UserError } from "./errors.ts";

export interface FunctionType {
  parameters: readonly string[];
  results: readonly string[];
}

/** A memory (in pages of 64 KiB) or a table (in entries). */
export interface Limits {
  minimum: number;
  /** undefined: none given. */
  maximum: number | undefined;
  shared: boolean;
  wide: boolean;
}

export type Entity =
  | { kind: "function"; type: FunctionType }
  | { kind: "table"; limits: Limits }
  | { kind: "memory"; limits: Limits }
  | { kind: "global" | "tag" };

export interface Import {
  module: string;
  name: string;
  entity: Entity;
}

export interface Module {
  imports: Import[];
  exports: Map<string, Entity>;
  /** Defined and imported. */
  memories: Limits[];
  tables: Limits[];
}

const VALUE_TYPES = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
  [0x70, "funcref"],
  [0x6f, "externref"],
]);
/** "\\0asm", version 1. */
const MODULE_HEAD = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
const SECTION = { TYPE: 1, IMPORT: 2, FUNCTION: 3, TABLE: 4, MEMORY: 5, EXPORT: 7 } as const;
const LIMITS_MAXIMUM = 1;
const LIMITS_SHARED = 2;
const LIMITS_WIDE = 4;

/** `(i32, i64) -> i32` */
export function showType({ parameters, results }: FunctionType): string {
  return `(${parameters.join(", ")}) -> ${results.length === 1 ? results[0] : `(${results.join(", ")})`}`;
}

export function sameType(a: FunctionType, b: FunctionType): boolean {
  return showType(a) === showType(b);
}

class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    public readonly end: number,
  ) {}

  byte(): number {
    const value = this.bytes[this.at];
    if (value === undefined || this.at >= this.end) throw new Error("it ends in the middle");
    this.at++;
    return value;
  }

  /** Unsigned LEB128 of up to 64 bits. */
  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 63) throw new Error("a number is too long");
    }
  }

  text(): string {
    const length = this.number();
    if (this.at + length > this.end) throw new Error("a name reaches past the end");
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  valueType(): string {
    const code = this.byte();
    const name = VALUE_TYPES.get(code);
    if (name === undefined) throw new Error(`value type 0x${code.toString(16)} is not supported`);
    return name;
  }

  list<T>(read: () => T): T[] {
    const count = this.number();
    if (count > this.end - this.at) throw new Error("a list reaches past the end");
    return Array.from({ length: count }, read);
  }

  limits(): Limits {
    const flags = this.byte();
    const minimum = this.number();
    const maximum = flags & LIMITS_MAXIMUM ? this.number() : undefined;
    if (flags > (LIMITS_MAXIMUM | LIMITS_SHARED | LIMITS_WIDE))
      throw new Error("a custom page size is not supported");
    return { minimum, maximum, shared: (flags & LIMITS_SHARED) !== 0, wide: (flags & LIMITS_WIDE) !== 0 };
  }
}

/** Reads the module; a UserError names `file` when it is none, or uses types that aemos does not support. */
export function readModule(file: string, bytes: Uint8Array): Module {
  const head = Buffer.from(bytes.subarray(0, MODULE_HEAD.length));
  if (!head.equals(MODULE_HEAD)) throw new UserError(`${file}: not a WebAssembly module`);
  try {
    return new Sections().read(bytes);
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
}

class Sections {
  private readonly types: FunctionType[] = [];
  private readonly functions: FunctionType[] = [];
  private readonly module: Module = { imports: [], exports: new Map(), memories: [], tables: [] };

  read(bytes: Uint8Array): Module {
    const all = new Reader(bytes, 8, bytes.length);
    while (all.at < all.end) {
      const id = all.byte();
      const size = all.number();
      const start = all.at;
      this.section(id, new Reader(bytes, start, start + size));
      all.at = start + size;
    }
    return this.module;
  }

  private section(id: number, reader: Reader): void {
    switch (id) {
      case SECTION.TYPE:
        this.types.push(...reader.list(() => this.functionType(reader)));
        break;
      case SECTION.IMPORT:
        this.module.imports.push(...reader.list(() => this.import(reader)));
        break;
      case SECTION.FUNCTION:
        this.functions.push(...reader.list(() => this.type(reader.number())));
        break;
      case SECTION.TABLE:
        this.module.tables.push(...reader.list(() => this.table(reader)));
        break;
      case SECTION.MEMORY:
        this.module.memories.push(...reader.list(() => reader.limits()));
        break;
      case SECTION.EXPORT:
        reader.list(() => this.export(reader));
        break;
    }
  }

  private functionType(reader: Reader): FunctionType {
    const form = reader.byte();
    if (form !== 0x60)
      throw new Error(`type form 0x${form.toString(16)} is not supported (garbage-collected types)`);
    return {
      parameters: reader.list(() => reader.valueType()),
      results: reader.list(() => reader.valueType()),
    };
  }

  private type(index: number): FunctionType {
    const type = this.types[index];
    if (type === undefined) throw new Error(`there is no type ${index}`);
    return type;
  }

  private table(reader: Reader): Limits {
    reader.valueType();
    return reader.limits();
  }

  private import(reader: Reader): Import {
    return { module: reader.text(), name: reader.text(), entity: this.importedEntity(reader) };
  }

  private importedEntity(reader: Reader): Entity {
    const kind = reader.byte();
    switch (kind) {
      case 0: {
        const type = this.type(reader.number());
        this.functions.push(type);
        return { kind: "function", type };
      }
      case 1: {
        const limits = this.table(reader);
        this.module.tables.push(limits);
        return { kind: "table", limits };
      }
      case 2: {
        const limits = reader.limits();
        this.module.memories.push(limits);
        return { kind: "memory", limits };
      }
      case 3:
        reader.valueType();
        reader.byte();
        return { kind: "global" };
      case 4:
        reader.byte();
        reader.number();
        return { kind: "tag" };
      default:
        throw new Error(`import kind ${kind} is not supported`);
    }
  }

  private export(reader: Reader): void {
    const name = reader.text();
    const kind = reader.byte();
    const index = reader.number();
    this.module.exports.set(name, this.exportedEntity(kind, index));
  }

  private exportedEntity(kind: number, index: number): Entity {
    const none = new Error(`an export names entity ${index}, which is not there`);
    switch (kind) {
      case 0: {
        const type = this.functions[index];
        if (type === undefined) throw none;
        return { kind: "function", type };
      }
      case 1: {
        const limits = this.module.tables[index];
        if (limits === undefined) throw none;
        return { kind: "table", limits };
      }
      case 2: {
        const limits = this.module.memories[index];
        if (limits === undefined) throw none;
        return { kind: "memory", limits };
      }
      case 3:
        return { kind: "global" };
      default:
        return { kind: "tag" };
    }
  }
}
