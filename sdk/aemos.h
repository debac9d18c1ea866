/*
 * aemos for applications in C (clang, wasm32): every system call, its numbers and structs, the types of the handlers, and what of
 * string.h freestanding code links against. It consists of the parts in aemos/. docs/aem-calls.md says what each call promises,
 * docs/c-applications.md how to build.
 *
 * A call returns 0 or a positive value when it succeeds, and a negative errno when it does not; there is no variable errno. A
 * pointer that does not lead into the application's memory gives -EFAULT. Any call may run handlers of this process
 * before it returns. The numbers are those of the TypeScript sdk and aem/abi.ts: a test holds them together.
 */
#ifndef AEMOS_H
#define AEMOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __wasm32__
#error "an application is compiled for wasm32: npx aemos build"
#endif

/* The label keeps clang from wrapping main into a form with argc and argv; another main than `int main(void)` is an error. */
__attribute__((export_name("main"))) int main(void) __asm__("aemos_main");

#define AEMOS_CALL(name) __attribute__((import_module("aemos"), import_name(#name)))

#include "aemos/errno.h"
#include "aemos/string.h"
#include "aemos/process.h"
#include "aemos/inet.h"
#include "aemos/socket.h"
#include "aemos/netinfo.h"
#include "aemos/poll.h"
#include "aemos/aem.h"
#include "aemos/control.h"
#include "aemos/system.h"

#endif
