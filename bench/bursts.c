/*
 * A tcg plugin for QEMU (docs/devel/tcg-plugins): counts the instructions of each burst of a guest with one processor. A burst is what
 * runs from the first instruction of an interrupt's stub, taken while the processor was halted, to the next halt.
 *
 * Arguments: out=PATH        the file that gets a line for each burst, when it has ended
 *            from=ADDRESS    the stubs: 256 of 16 bytes each (boot/interrupts.c), hexadecimal
 *            stubs=BYTES     how long they are all together; 4096 when absent
 *            to=ADDRESS      code whose first instruction is of interest; up to TARGETS times
 *            busy=1          a burst is also what runs from an interrupt that stopped an application, to the first `to` or the next interrupt; only
 *                            bursts that reach one are written
 *            between=ADDRESS a burst is what runs from the return of this function to its next call; no interrupt begins one then
 *            entry=ADDRESS   where the image's stacks begin: its first 64-bit instruction
 *            functions=PATH  also the stacks that ran (stacks.h), for a profile; `between` needs them
 *
 * A line: `burst VECTOR INTERRUPTS TOTAL`, then for each `to` the instructions that had run before it for the first time, or -1. With
 * functions=PATH, lines `ran NODE INSTRUCTIONS` follow: all that ran, or, when a `to` was reached, what ran before the first; all with `between`. Its VECTOR is 256.
 *
 * A block counts in full when it begins: interrupts are taken between blocks only. Built by bench/bursts.ts.
 */
#include "qemu-plugin.h"
#include "stacks.h"

#define STUB_SIZE 16
#define HLT 0xf4
#define TARGETS 8
#define NO_VECTOR 256

struct block {
  uint64_t address;
  uint32_t instructions;
  uint32_t function;
  int halts;
};

static FILE *out;
static uint64_t from, stubs = 4096, entry, between, to[TARGETS];
static unsigned targets;
static int busy;

/* The burst under way. */
static int halted, running, arrived;
static unsigned vector, interrupts;
static uint64_t total;
static int64_t reached[TARGETS];
/* With `between`: the function's frame, while it has one, and its stack. */
static uint64_t slot;
static const struct stack *called_on;
/* With stacks: instructions of each node, and the nodes that have any. */
static uint64_t counts[NODES];
static uint32_t ran[NODES], ran_count;

static void report(void) {
  running = 0;
  fprintf(out, "burst %u %u %llu", vector, interrupts, (unsigned long long)total);
  for (unsigned i = 0; i < targets; i++) fprintf(out, " %lld", (long long)reached[i]);
  fputc('\n', out);
  for (uint32_t i = 0; i < ran_count; i++)
    fprintf(out, "ran %u %llu\n", ran[i], (unsigned long long)counts[ran[i]]);
  fflush(out);
}

static void start(unsigned number) {
  running = 1;
  arrived = 0;
  vector = number;
  interrupts = 0;
  total = 0;
  for (unsigned i = 0; i < TARGETS; i++) reached[i] = -1;
  while (ran_count) counts[ran[--ran_count]] = 0;
}

/* The burst ends where the function is called, and the next begins where its frame has gone. */
static void look_for_function(uint64_t address) {
  if (address == between && stack->depth > 0) {
    if (running) report();
    slot = stack->frames[stack->depth - 1].slot;
    called_on = stack;
  } else if (stack == called_on && !has_frame(slot)) {
    called_on = NULL;
    start(NO_VECTOR);
  }
}

static void executed(unsigned int vcpu, void *userdata) {
  const struct block *block = userdata;
  int interrupt = block->address - from < stubs;
  (void)vcpu;
  if (functions && block->address == entry) stacks_begin();
  if (functions) stacks_executed(block, block->function, interrupt);
  if (between) look_for_function(block->address);
  else if (interrupt && (halted || busy)) start((block->address - from) / STUB_SIZE);
  interrupts += interrupt;
  halted = block->halts;
  if (!running) return;
  for (unsigned i = 0; i < targets; i++)
    if (block->address == to[i] && reached[i] < 0) {
      reached[i] = (int64_t)total;
      arrived = !between;
    }
  if (arrived && busy) {
    report();
    return;
  }
  if (functions && !arrived) {
    if (counts[node] == 0) ran[ran_count++] = node;
    counts[node] += block->instructions;
  }
  total += block->instructions;
  if (halted && !between) {
    if (busy) running = 0;
    else report();
  }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  struct block *block = malloc(sizeof *block);
  (void)id;
  if (!block) abort();
  size_t count = qemu_plugin_tb_n_insns(tb);
  const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, count - 1);
  block->address = qemu_plugin_tb_vaddr(tb);
  block->instructions = (uint32_t)count;
  block->function = function_at(block->address);
  block->halts = qemu_plugin_insn_size(last) == 1 && *(const uint8_t *)qemu_plugin_insn_data(last) == HLT;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
  if (functions) stacks_translated(tb, block);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
  const char *list = NULL;
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
    else if (strncmp(argv[i], "from=", 5) == 0) from = strtoull(argv[i] + 5, NULL, 16);
    else if (strncmp(argv[i], "stubs=", 6) == 0) stubs = strtoull(argv[i] + 6, NULL, 10);
    else if (strncmp(argv[i], "entry=", 6) == 0) entry = strtoull(argv[i] + 6, NULL, 16);
    else if (strncmp(argv[i], "to=", 3) == 0 && targets < TARGETS) to[targets++] = strtoull(argv[i] + 3, NULL, 16);
    else if (strncmp(argv[i], "between=", 8) == 0) between = strtoull(argv[i] + 8, NULL, 16);
    else if (strncmp(argv[i], "functions=", 10) == 0) list = argv[i] + 10;
    else if (strcmp(argv[i], "busy=1") == 0) busy = 1;
    else return -1;
  }
  if (!out || from == 0 || (between && !list)) return -1;
  if (list) stacks_open(list, out);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
