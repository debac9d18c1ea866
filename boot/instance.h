/*
 * The kernel's only instance and its function table, which the build has filled in (tools/instance.ts), for the C that wasm2c wrote of it and for boot/. An entry that the
 * module does not fill is zero: of no type.
 */
#ifndef AEMOS_INSTANCE_H
#define AEMOS_INSTANCE_H

#include "kernel.h"

struct kernel_table_entry {
  wasm_rt_func_type_t func_type;
  wasm_rt_function_ptr_t func;
};

extern w2c_kernel kernel;
extern const struct kernel_table_entry kernel_table[];
/* Its static data, empty until boot_start has unpacked them. */
extern u8 kernel_data[];
extern const u8 kernel_data_block[];
extern const u32 kernel_data_block_size;

#endif
