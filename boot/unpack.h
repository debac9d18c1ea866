/* See unpack.c. */
#ifndef AEMOS_UNPACK_H
#define AEMOS_UNPACK_H

#include <stdint.h>

/* The block up to `end`, to `to`. It is the build's, whole and right: nothing is checked. */
void aemos_unpack(uint8_t* to, const uint8_t* block, const uint8_t* end);

#endif
