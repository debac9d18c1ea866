/* The four that gcc may call wherever it likes; boot/memory.S has them. */
#ifndef AEMOS_STRING_H
#define AEMOS_STRING_H

#include <stddef.h>

void* memcpy(void* restrict destination, const void* restrict source, size_t length);
void* memmove(void* destination, const void* source, size_t length);
void* memset(void* destination, int value, size_t length);
int memcmp(const void* a, const void* b, size_t length);

#endif
