/* The layers of an encoder or a decoder in a row, in two halves.
 *
 * Near the samples rows come fast and weights are few: there a block should be short, so that its rows stay in the L2
 * cache. At the frames' end rows are few and weights are many (8 MB in one convolution): there a block should be long,
 * so that the weights are read seldom. Where a block ends changes no result. */
#ifndef ECDC_CODEC_PIPELINE_H
#define ECDC_CODEC_PIPELINE_H

#include "codec/stage.h"

struct pipeline {
    size_t n_stages, split; /* the head is [0, split), the tail the rest */
    struct stage *stages;
    struct rows out; /* what the last layer yields; the owner drops what it has used */
};

/* In an encoder the head is the fast half, in a decoder the slow one. ECDC_E_MEMORY; call pipeline_free in any case. */
ecdc_status pipeline_init(struct pipeline *p, const struct network *net, ecdc_error *err);
void pipeline_free(struct pipeline *p);
ecdc_status pipeline_reset(struct pipeline *p, ecdc_error *err);

/* Measures every stage from now on; NULL: none. */
void pipeline_set_profile(struct pipeline *p, struct profile *profile);

/* Where the next n input rows go, to be followed by pipeline_head. NULL: out of memory. */
float *pipeline_input(struct pipeline *p, size_t n, ecdc_error *err);

/* Takes n rows that were written to pipeline_input through the head. */
ecdc_status pipeline_head(struct pipeline *p, const struct engine *engine, size_t n, ecdc_error *err);
/* Runs the tail on what waits before it, in slices of at most max_steps of its first layer. */
ecdc_status pipeline_tail(struct pipeline *p, const struct engine *engine, size_t max_steps, ecdc_error *err);
/* The end of the signal: pads every layer on the right and runs the rest. */
ecdc_status pipeline_finish(struct pipeline *p, const struct engine *engine, ecdc_error *err);

#endif
