/* inet_pton of C, for inet.test.ts. */
#include <aemos.h>

static char space[1024];

__attribute__((export_name("room"))) void *room(void) { return space; }

/* A text that ends in 0. */
__attribute__((export_name("pton"))) int pton(int family, const char *text, void *destination) { return inet_pton(family, text, destination); }

__attribute__((export_name("addr"))) uint32_t addr(const char *text) { return inet_addr(text); }

int main(void) { return 0; }
