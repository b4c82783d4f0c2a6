#include "failing_allocations.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long left = -1; /* encoders have threads */
static atomic_bool failed;

static bool granted(void) {
    long n = atomic_load(&left);
    while (n >= 0 && !atomic_compare_exchange_weak(&left, &n, n - 1))
        continue;
    if (n != 0)
        return true;
    atomic_store(&failed, true);
    errno = ENOMEM; /* as malloc has it */
    return false;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

void *__wrap_malloc(size_t n) {
    return granted() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t n) {
    return granted() ? __real_realloc(old, n) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return granted() ? __real_aligned_alloc(alignment, n) : NULL;
}

void allocations_begin(void) {
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
}

void allocations_fail_after(long n) {
    atomic_store(&left, n);
    atomic_store(&failed, false);
}

bool allocations_failed(void) {
    return atomic_load(&failed);
}
