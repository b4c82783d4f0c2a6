/* The golden arrays of tests/data, read whole; of tiny24 unless GOLDEN names another folder. */
#ifndef ECDC_TESTS_GOLDEN_H
#define ECDC_TESTS_GOLDEN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ecdc.h"
#include "media/npy.h"

#ifndef GOLDEN
#define GOLDEN "tiny24"
#endif

#define MUST(call)                                                        \
    do {                                                                  \
        if ((call) != ECDC_OK)                                            \
            fail_msg("%s: %s", #call, err.message);                       \
    } while (0)

static inline struct npy_reader *golden_open(const char *name, size_t *n, int64_t dims[2]) {
    char path[512];
    struct npy_reader *reader;
    ecdc_error err;
    snprintf(path, sizeof path, ECDC_TEST_DATA "/" GOLDEN "/%s.npy", name);
    MUST(npy_open(path, &reader, &err));
    const struct npy_shape *shape = npy_shape_of(reader);
    *n = 1;
    for (int i = 0; i < shape->n_dims; i++)
        *n *= (size_t)shape->dims[i];
    dims[0] = shape->dims[0];
    dims[1] = shape->n_dims > 1 ? shape->dims[1] : 1;
    return reader;
}

static inline float *golden_floats(const char *name, size_t *n, int64_t dims[2]) {
    ecdc_error err;
    struct npy_reader *reader = golden_open(name, n, dims);
    float *values = malloc((*n + 1) * sizeof *values);
    MUST(npy_read_float(reader, values, *n, &err));
    npy_close(reader);
    return values;
}

/* (codebooks, frames), as stored; or other integers. dims are the first two axes. */
static inline int64_t *golden_codes(const char *name, int64_t dims[2]) {
    ecdc_error err;
    size_t n;
    struct npy_reader *reader = golden_open(name, &n, dims);
    int64_t *values = malloc((n + 1) * sizeof *values);
    MUST(npy_read_int64(reader, values, n, &err));
    npy_close(reader);
    return values;
}

static inline ecdc_model *open_golden_model(void) {
    ecdc_error err;
    ecdc_model *model;
    MUST(ecdc_model_open(ECDC_TEST_DATA "/" GOLDEN, &model, &err));
    return model;
}

/* Every table of kernels that runs here. */
static const ecdc_cpu all_cpus[] = {ECDC_CPU_REFERENCE, ECDC_CPU_AVX2, ECDC_CPU_AVX512, ECDC_CPU_NEON};
enum { N_CPUS = sizeof all_cpus / sizeof *all_cpus };

/* Random numbers that are the same everywhere. */
static inline uint32_t random_bits(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}
static inline float random_float(uint32_t *seed) { /* -1 ... 1 */
    return (float)random_bits(seed) / (float)(1 << 23) - 1;
}

#endif
