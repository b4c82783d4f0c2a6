/* A program whose n-th allocation fails. It links failing_allocations (CMakeLists.txt): the linker gives the names below to the
 * program's and the library's calls of malloc and its kin, and cJSON is handed them by allocations_begin; what FFmpeg, OpenSSL,
 * libzip and the C library allocate for themselves is not counted. */
#ifndef ECDC_TESTS_FAILING_ALLOCATIONS_H
#define ECDC_TESTS_FAILING_ALLOCATIONS_H

#include <stdbool.h>

/* Once, before anything is allocated through cJSON. */
void allocations_begin(void);
/* After n more allocations one fails, and those after it succeed, as on a machine that swaps. n < 0: none
 * fails. */
void allocations_fail_after(long n);
/* Whether one has failed since. */
bool allocations_failed(void);

#endif
