/* The four that gcc may call wherever it likes; boot/memory.S has them. */
#ifndef AEMOS_STRING_H
#define AEMOS_STRING_H

#include <stddef.h>

void* memcpy(void* restrict destination, const void* restrict source, size_t length);
void* memmove(void* destination, const void* source, size_t length);
void* memset(void* destination, int value, size_t length);
int memcmp(const void* a, const void* b, size_t length);

/* With -ffreestanding gcc takes these for functions like others. It knows better what a few bytes, whose number it sees, are worth. */
#define memmove(destination, source, length) __builtin_memmove((destination), (source), (length))
#define memset(destination, value, length) __builtin_memset((destination), (value), (length))

#endif
