/*
 * A tcg plugin for QEMU: the number of instructions that the guest has executed, as a 64-bit word at the beginning of a file that others can read at any time; and as the word behind
 * it what that was when the guest last came to an address.
 *
 * Arguments: out=PATH, and from=ADDRESS, hexadecimal. A block counts in full when it begins. The counting is inline in the translated code: no call. Built by bench/bursts.ts.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "qemu-plugin.h"

static uint64_t *total, from;

static void came(unsigned int vcpu, void *userdata) {
  (void)vcpu;
  (void)userdata;
  total[1] = total[0];
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  if (from != 0 && qemu_plugin_tb_vaddr(tb) == from)
    qemu_plugin_register_vcpu_tb_exec_cb(tb, came, QEMU_PLUGIN_CB_NO_REGS, NULL);
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, total, qemu_plugin_tb_n_insns(tb));
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
  (void)info;
  if (argc < 1 || argc > 2 || strncmp(argv[0], "out=", 4) != 0) return -1;
  if (argc == 2 && strncmp(argv[1], "from=", 5) == 0) from = strtoull(argv[1] + 5, NULL, 16);
  int fd = open(argv[0] + 4, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || ftruncate(fd, 2 * sizeof *total) < 0) return -1;
  total = mmap(NULL, 2 * sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (total == MAP_FAILED) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
