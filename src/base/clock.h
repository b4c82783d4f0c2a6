/* Time. */
#ifndef ECDC_BASE_CLOCK_H
#define ECDC_BASE_CLOCK_H

#include <time.h>

/* Seconds since some fixed moment, unmoved by changes of the date. */
static inline double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
