#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64 };

void *ecdc_alloc_array(size_t n, size_t size) {
    size_t bytes;
    if (!ecdc_mul_size(n, size, &bytes))
        return NULL;
    return malloc(bytes ? bytes : 1);
}

void *ecdc_alloc_zeros(size_t n, size_t size) {
    return calloc(n ? n : 1, size ? size : 1); /* calloc checks the product itself */
}

void *ecdc_realloc_array(void *old, size_t n, size_t size) {
    size_t bytes;
    if (!ecdc_mul_size(n, size, &bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

static void *alloc_aligned(size_t n, size_t alignment, size_t *bytes) {
    if (!ecdc_mul_size(n ? n : 1, sizeof(float), bytes) || *bytes > SIZE_MAX - alignment)
        return NULL;
    *bytes = (*bytes + alignment - 1) / alignment * alignment;
    return aligned_alloc(alignment, *bytes);
}

float *ecdc_alloc_floats(size_t n) {
    size_t bytes;
    return alloc_aligned(n, CACHE_LINE, &bytes);
}

float *ecdc_alloc_large_pages(size_t n) {
    size_t bytes;
    void *p = alloc_aligned(n, ECDC_LARGE_PAGE, &bytes);
#ifdef MADV_HUGEPAGE
    if (p && madvise(p, bytes, MADV_HUGEPAGE) == 0)
        madvise(p, bytes, MADV_DONTNEED); /* small pages that the heap has from before would stay small */
#endif
    return p;
}

char *ecdc_strdup(const char *s) {
    size_t n = strlen(s) + 1;
    char *copy = malloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}

char *ecdc_strfmt(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s) {
        va_start(args, format);
        vsnprintf(s, (size_t)n + 1, format, args);
        va_end(args);
    }
    return s;
}
