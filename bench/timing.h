/* What the tools of this folder measure with. */
#ifndef ECDC_BENCH_TIMING_H
#define ECDC_BENCH_TIMING_H

#include <stdlib.h>

#include "../src/base/clock.h"

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void sort_times(double *times_s, size_t n) {
    qsort(times_s, n, sizeof *times_s, by_value);
}

#endif
