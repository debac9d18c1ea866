/*
 * What the kernel knows of an application module that is linked into the image. The build writes one descriptor per
 * application (all fields 8 bytes, in this order); kernel/process/module.ts reads them.
 */
#ifndef AEMOS_MODULE_H
#define AEMOS_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

/* Types of event (aem/abi.ts), with room for none but these. */
#define MODULE_EVENT_TYPES 14

struct module_descriptor {
  const char* name; /* not NUL-terminated as far as the kernel cares */
  uint64_t name_length;
  void (*start)(void); /* runs on the process's stack: instantiates the module, calls main, then aemos_exit */
  uint64_t instance_size;    /* bytes of the instance struct at INSTANCE_BASE */
  uint64_t memory_pages;     /* initial wasm pages */
  uint64_t memory_max_pages; /* least of the module's maximum and the manifest's limit */
  uint64_t table_entries;    /* initial entries of the function table at TABLE_BASE */
  uint64_t table_max;
  uint64_t vmtable_order; /* 2^order frames, if the memory is large enough */
  uint64_t stack_bytes;   /* multiple of 4096 */
  uint64_t priority;      /* of the main code: 0 .. 63 */
  uint64_t cpu_percent;   /* most of the processor in each period: 1 .. 100 */
  uint64_t threads;       /* worker threads for EVF_THREAD */
  uint64_t thread_stack_bytes;
  uint64_t stack_pointer; /* offset of the shadow stack's pointer in the instance, 4 bytes; 0: the module has none */
  uint64_t children; /* most forked children at once */
  uint64_t capsules; /* most of them that are kept for EVF_CAPSULE */
  uint64_t on_demand; /* 0: started at boot; 1: only when a call asks for it */
  /* Most that the process may have at once; 0: as many as the kernel allows. */
  uint64_t event_limit;
  uint64_t activation_limit;
  uint64_t descriptor_limit;
  /* What is refused: bit n is event type n, or executor n of function, thread, fork, capsule. */
  uint64_t refused_types;
  uint64_t refused_executors;
  uint64_t type_limits[MODULE_EVENT_TYPES]; /* most events of each type; 0 as above */
};

/* What the manifest says of the whole image. */
struct image_parameters {
  uint64_t reserve_percent; /* of the default priority level and below, under load of higher ones: 0 .. 50 */
  uint64_t congestion_control; /* of TCP: CONGESTION_* in net/socket/tcp/congestion.ts */
};

__attribute__((noreturn)) void aemos_exit(uint32_t status);

#endif
