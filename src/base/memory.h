/* Allocation with checked sizes. */
#ifndef ECDC_BASE_MEMORY_H
#define ECDC_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* n * size in *out; false if that overflows. */
static inline bool ecdc_mul_size(size_t n, size_t size, size_t *out) {
    return !__builtin_mul_overflow(n, size, out);
}

/* NULL where n * size overflows or memory is short; n == 0 gives a pointer that free() takes. */
void *ecdc_alloc_array(size_t n, size_t size);  /* uninitialised */
void *ecdc_alloc_zeros(size_t n, size_t size);
void *ecdc_realloc_array(void *old, size_t n, size_t size); /* on failure `old` stays valid */

/* n floats on a 64-byte boundary, uninitialised; release with free(). */
float *ecdc_alloc_floats(size_t n);

/* The same in whole pages of 2 MB, where the system gives them (Linux: transparent_hugepage is `madvise` or `always`): the
 * processor then finds 2 MB with one entry of its address cache instead of 512. For what is read over and over. */
enum { ECDC_LARGE_PAGE = 1 << 21 };
float *ecdc_alloc_large_pages(size_t n);

/* A copy of a string, NULL when memory is short; release with free(). */
char *ecdc_strdup(const char *s);
/* printf into a fresh string. */
char *ecdc_strfmt(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
