/* Programs of quality.c that stand in digests.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t sha256(const uint8_t *data, size_t length);
/* 0: it is no JSON text. */
uint32_t parse_json(const uint8_t *from, size_t length);
