#include "codec/pipeline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The slow half of an encoder begins with its last strided convolution, that of a decoder ends with its first transposed
 * one. */
static size_t split_of(const struct network *net) {
    size_t split = 0;
    for (size_t i = 0; i < net->n_layers; i++) {
        if (net->layers[i].kind == LAYER_CONV_TRANSPOSE)
            return i + 1;
        if (net->layers[i].kind == LAYER_CONV && net->layers[i].stride > 1)
            split = i;
    }
    return split;
}

ecdc_status pipeline_init(struct pipeline *p, const struct network *net, ecdc_error *err) {
    memset(p, 0, sizeof *p);
    p->stages = ecdc_alloc_zeros(net->n_layers, sizeof *p->stages);
    if (!p->stages)
        return ecdc_fail_memory(err, "the layers' state");
    p->n_stages = net->n_layers;
    p->split = split_of(net);
    p->out.has_raw = true;
    p->out.width = net->layers[net->n_layers - 1].out;
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < p->n_stages; i++)
        status = stage_init(&p->stages[i], &net->layers[i], err);
    return status;
}

void pipeline_free(struct pipeline *p) {
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].layer)
            stage_free(&p->stages[i]);
    free(p->stages);
    rows_free(&p->out);
    memset(p, 0, sizeof *p);
}

ecdc_status pipeline_reset(struct pipeline *p, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < p->n_stages; i++)
        status = stage_reset(&p->stages[i], err);
    rows_drop(&p->out, p->out.n);
    return status;
}

void pipeline_set_profile(struct pipeline *p, struct profile *profile) {
    for (size_t i = 0; i < p->n_stages; i++)
        p->stages[i].profile = profile ? &profile->stages[i] : NULL;
}

float *pipeline_input(struct pipeline *p, size_t n, ecdc_error *err) {
    struct rows *in = &p->stages[0].in;
    return rows_reserve(in, n, err) == ECDC_OK ? rows_raw(in, in->n) : NULL;
}

static ecdc_status run(struct pipeline *p, const struct engine *engine, size_t first, size_t last, size_t max_steps,
                       ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = first; status == ECDC_OK && i < last; i++) {
        struct rows *out = i + 1 < p->n_stages ? &p->stages[i + 1].in : &p->out;
        status = stage_run(&p->stages[i], engine, out, i == first ? max_steps : SIZE_MAX, err);
    }
    return status;
}

ecdc_status pipeline_head(struct pipeline *p, const struct engine *engine, size_t n, ecdc_error *err) {
    p->stages[0].in.n += n;
    return run(p, engine, 0, p->split, SIZE_MAX, err);
}

ecdc_status pipeline_tail(struct pipeline *p, const struct engine *engine, size_t max_steps, ecdc_error *err) {
    const struct rows *waiting = &p->stages[p->split].in;
    size_t before;
    do {
        before = waiting->n;
        ecdc_status status = run(p, engine, p->split, p->n_stages, max_steps, err);
        if (status != ECDC_OK)
            return status;
    } while (waiting->n < before);
    return ECDC_OK;
}

ecdc_status pipeline_finish(struct pipeline *p, const struct engine *engine, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < p->n_stages; i++) {
        status = stage_finish(&p->stages[i], err);
        if (status == ECDC_OK)
            status = run(p, engine, i, i + 1, SIZE_MAX, err);
    }
    return status;
}
