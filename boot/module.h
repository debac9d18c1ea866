/*
 * What the kernel knows of an application module that is linked into the image. The build writes one descriptor per
 * application (all fields 8 bytes, in this order); kernel/process/module.ts reads them.
 */
#ifndef AEMOS_MODULE_H
#define AEMOS_MODULE_H

#include <stdint.h>

#include "layout.h"

struct module_descriptor {
  const char* name; /* not NUL-terminated as far as the kernel cares */
  uint64_t name_length;
  void (*start)(void); /* runs on the process's stack: instantiates the module, calls main, then aemos_exit */
  uint64_t instance_size;    /* bytes of the instance struct at INSTANCE_BASE */
  uint64_t memory_pages;     /* initial wasm pages */
  uint64_t memory_max_pages; /* least of the module's maximum and the manifest's limit */
  uint64_t table_entries;    /* initial entries of the function table at TABLE_BASE */
  uint64_t table_max;
  uint64_t vmtable_order; /* 2^order frames */
  uint64_t stack_bytes;   /* multiple of 4096 */
};

__attribute__((noreturn)) void aemos_exit(uint32_t status);

#endif
