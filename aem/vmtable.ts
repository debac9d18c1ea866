/**
 * The calls vmtable_keep and vmtable_free: a handler keeps the block that its data came in, beyond its return, and frees it some time
 * later. Without them the kernel frees the block when the handler returns, so that an application need not know about it (AEM 3.4.1).
 *
 * `data` is the address that the handler got. A datagram's stands SOCKADDR_SIZE bytes into its block, or SOCKADDR6_ROOM (aem/jobs/read.ts), and blocks begin
 * on multiples of VMTABLE_BLOCK, so the forms can be told apart.
 */
import { EINVAL } from "../kernel/errno";
import { VMTABLE_BLOCK, vmtableFree, vmtableHas } from "../kernel/memory/vmtable";
import { currentProcess, Process } from "../kernel/process/process";
import { currentThread } from "../kernel/scheduler/running";
import { SOCKADDR6_ROOM, SOCKADDR_SIZE } from "../net/socket/sockaddr";
import { retryOwn } from "./queue";

/** 0; -EINVAL: these are not the data of the handler that runs now, or it has kept them already. */
export function sys_vmtable_keep(data: u32): i32 {
  const process = currentProcess();
  const block = blockOf(process, data);
  const thread = currentThread();
  if (block == 0 || thread.block != block) return -EINVAL;
  thread.block = 0;
  return 0;
}

/** 0; -EINVAL: no block in use has its data there. The data of the handler that runs now may be freed early. */
export function sys_vmtable_free(data: u32): i32 {
  const process = currentProcess();
  const block = blockOf(process, data);
  if (block == 0) return -EINVAL;
  const thread = currentThread();
  if (thread.block == block) thread.block = 0;
  vmtableFree(process.vmtable, block);
  retryOwn(process);
  return 0;
}

/** User address of the block with its data at `data`, which may be any number; 0: there is none. */
function blockOf(process: Process, data: usize): usize {
  const inside = data & (VMTABLE_BLOCK - 1);
  if (inside != 0 && inside != SOCKADDR_SIZE && inside != SOCKADDR6_ROOM) return 0;
  return vmtableHas(process.vmtable, data - inside) ? data - inside : 0;
}
