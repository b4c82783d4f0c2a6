/* Kernels and the threads that run them: what a streaming layer computes with. */
#ifndef ECDC_COMPUTE_ENGINE_H
#define ECDC_COMPUTE_ENGINE_H

#include "base/pool.h"
#include "compute/group.h"

struct engine {
    const struct kernels *kernels;
    struct pool *pool;  /* NULL: the calling thread works alone */
    ecdc_group *group;  /* NULL: the stream reads the LSTM's weights alone */
    unsigned char *scratch; /* kernels->scratch_bytes for each thread */
};

/* Threads and kernels for the settings. ECDC_E_ARGUMENT, ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ecdc_status engine_open(struct engine *engine, const ecdc_settings *settings, ecdc_error *err);
void engine_close(struct engine *engine);

/* What one of the threads computes with while each works for itself. */
struct engine engine_of_thread(const struct engine *engine, int part);

/* y[rows] of a product, split over the threads by rows or, where those are few, by columns. */
void engine_product(const struct engine *engine, const struct product *p, size_t rows);

/* Steps of an LSTM layer: each split over the threads by groups of units, or all done together with other streams. */
void engine_lstm(const struct engine *engine, struct lstm_run *run);

#endif
