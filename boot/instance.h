/*
 * The kernel's only instance and its function table, for the C that wasm2c wrote of it (tools/translate.ts) and for runtime.c. All of
 * the table that the module does not fill is zero: an entry of no type.
 */
#ifndef AEMOS_INSTANCE_H
#define AEMOS_INSTANCE_H

#include "kernel.h"

#define KERNEL_TABLE_ENTRIES 512

extern w2c_kernel kernel;
extern wasm_rt_funcref_t kernel_table[KERNEL_TABLE_ENTRIES];

#endif
