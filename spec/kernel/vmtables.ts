/** Vmtables of their own frames, for specs of kernel/memory/vmtable.ts. */
import { Pool } from "../../kernel/memory/pool";
import {
  initializeVmtables,
  Vmtable,
  vmtableClearSome,
  vmtableCreate,
  vmtableDestroy,
} from "../../kernel/memory/vmtable";
import { growMemory, setUpArena } from "../arena";

/** Four at most, of which the pool has its frame. */
export function setUpVmtables(): void {
  setUpArena(4096);
  initializeVmtables(changetype<Pool>(growMemory(offsetof<Pool>(), 8)), 4);
  vmtableDestroy(made(0));
}

/** A vmtable that is ready. */
export function made(order: u32): Vmtable {
  const v = vmtableCreate(order)!;
  while (!vmtableClearSome(v)) {}
  return v;
}
