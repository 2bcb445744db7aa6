//go:build peers && cgo && amd64

// Counts what C and C++ allocate. Functions of an executable come before those of its libraries, so that all of them call
// these. The cost is an increment in the thread's own memory.
#include <errno.h>
#include <stdlib.h>

#include "call.h"

static __thread int64_t count;

int64_t mallocs(void) { return count; }

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
	count++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
	count++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
	count++;
	return __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size) {
	count++;
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
	count++;
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size) {
	count++;
	*p = __libc_memalign(alignment, size);
	return *p == NULL ? ENOMEM : 0;
}
