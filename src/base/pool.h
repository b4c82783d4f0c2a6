/* A few threads that run one function over a range of parts. */
#ifndef ECDC_BASE_POOL_H
#define ECDC_BASE_POOL_H

#include "base/status.h"

struct pool;

/* n_threads counts the caller: 1 makes no thread. */
ecdc_status pool_new(int n_threads, struct pool **out, ecdc_error *err);
void pool_free(struct pool *pool);
int pool_threads(const struct pool *pool); /* NULL: 1, the caller */

/* Calls work(context, part) once for every part of 0 ... pool_threads - 1, on as many threads as are free, the caller's
 * included, and returns when all are done. One caller at a time. */
void pool_run(struct pool *pool, void (*work)(void *context, int part), void *context);

/* The half-open share of `part` in n units, in units of `grain`. */
struct range {
    size_t begin, end;
};
static inline struct range pool_share(size_t n, size_t grain, int part, int parts) {
    size_t units = (n + grain - 1) / grain;
    size_t begin = units * (size_t)part / (size_t)parts * grain, end = units * (size_t)(part + 1) / (size_t)parts * grain;
    return (struct range){begin < n ? begin : n, end < n ? end : n};
}

/* Processors that this process may use. */
int pool_processors(void);

#endif
