/* Samples -> SEANet encoder -> residual vector quantizer -> codes, as a stream. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "codec/pipeline.h"
#include "codec/quantizer.h"
#include "codec/settings.h"

/* Frames per block of the fast and of the slow layers (see pipeline.h): measured, flat around these values. */
enum { FAST_FRAMES = 6, SLOW_FRAMES = 48 };

struct ecdc_encoder {
    size_t hop, n_codebooks;
    struct engine engine;
    struct pipeline pipeline;
    const struct network *codebooks;
    float *scratch;
    struct fifo codes; /* items are frames */
    uint64_t samples;  /* taken so far, for messages */
    bool finished;
    bool broken; /* memory ran out half way through a layer */
    struct profile *profile;
};

ecdc_status ecdc_encoder_new(const ecdc_model *model, const ecdc_settings *settings, ecdc_encoder **out,
                             ecdc_error *err) {
    ecdc_settings defaults = ecdc_default_settings();
    int n_codebooks;
    ecdc_status status = settings_codebooks(model, settings ? settings : &defaults, &n_codebooks, err);
    if (status != ECDC_OK)
        return status;
    ecdc_encoder *e = ecdc_alloc_zeros(1, sizeof *e);
    if (!e)
        return ecdc_fail_memory(err, "an encoder");
    e->hop = (size_t)config_hop(&model->config);
    e->n_codebooks = (size_t)n_codebooks;
    e->codes.item_size = e->n_codebooks * sizeof(int32_t);
    const struct network *net = NULL;
    status = engine_open(&e->engine, settings ? settings : &defaults, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_ENCODER, e->engine.kernels, 0, &net, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_CODEBOOK_SEARCH, e->engine.kernels, n_codebooks, &e->codebooks, err);
    if (status == ECDC_OK && !(e->scratch = ecdc_alloc_floats(quantizer_scratch(e->codebooks))))
        status = ecdc_fail_memory(err, "the quantizer");
    if (status == ECDC_OK)
        status = pipeline_init(&e->pipeline, net, err);
    if (status != ECDC_OK) {
        ecdc_encoder_free(e);
        return status;
    }
    *out = e;
    return ECDC_OK;
}

void ecdc_encoder_free(ecdc_encoder *e) {
    if (!e)
        return;
    pipeline_free(&e->pipeline);
    engine_close(&e->engine);
    fifo_free(&e->codes);
    free(e->scratch);
    free(e);
}

int ecdc_encoder_codebooks(const ecdc_encoder *e) {
    return (int)e->n_codebooks;
}

/* The vectors that the network has finished become codes. */
static ecdc_status quantize(ecdc_encoder *e, ecdc_error *err) {
    struct rows *vectors = &e->pipeline.out;
    if (vectors->n == 0)
        return ECDC_OK;
    int32_t *codes = fifo_reserve(&e->codes, vectors->n);
    if (!codes)
        return ecdc_fail_memory(err, "codes that were not pulled");
    double start = profile_start(e->profile);
    quantizer_encode(e->codebooks, &e->engine, e->n_codebooks, rows_raw(vectors, 0), vectors->n, e->scratch, codes);
    if (e->profile)
        e->profile->quantizer_s += now_s() - start;
    fifo_commit(&e->codes, vectors->n);
    rows_drop(vectors, vectors->n);
    return ECDC_OK;
}

static ecdc_status push_block(ecdc_encoder *e, const float *samples, size_t n, ecdc_error *err) {
    size_t fast = FAST_FRAMES * e->hop;
    ecdc_status status = ECDC_OK;
    for (size_t i = 0, part; status == ECDC_OK && i < n; i += part) {
        part = n - i < fast ? n - i : fast;
        float *in = pipeline_input(&e->pipeline, part, err);
        if (!in)
            return ECDC_E_MEMORY;
        memcpy(in, samples + i, part * sizeof *in);
        status = pipeline_head(&e->pipeline, &e->engine, part, err);
    }
    if (status == ECDC_OK)
        status = pipeline_tail(&e->pipeline, &e->engine, SIZE_MAX, err);
    return status == ECDC_OK ? quantize(e, err) : status;
}

static ecdc_status usable(const ecdc_encoder *e, ecdc_error *err) {
    if (e->broken)
        return ecdc_fail(err, ECDC_E_MEMORY, "the encoder ran out of memory before: reset or free it");
    if (e->finished)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the signal was finished: reset the encoder for another one");
    return ECDC_OK;
}

ecdc_status ecdc_encoder_push(ecdc_encoder *e, const float *samples, size_t n_samples, ecdc_error *err) {
    ecdc_status status = usable(e, err);
    for (size_t i = 0; status == ECDC_OK && i < n_samples; i++)
        if (!isfinite(samples[i])) /* one would stay in the LSTM for ever */
            status = ecdc_fail(err, ECDC_E_ARGUMENT, "sample %llu is %f, not a finite number",
                               (unsigned long long)(e->samples + i), (double)samples[i]);
    if (status != ECDC_OK)
        return status;
    size_t block = SLOW_FRAMES * e->hop;
    for (size_t i = 0, part; status == ECDC_OK && i < n_samples; i += part) {
        part = n_samples - i < block ? n_samples - i : block;
        status = push_block(e, samples + i, part, err);
    }
    e->samples += n_samples;
    e->broken = status != ECDC_OK;
    return status;
}

ecdc_status ecdc_encoder_finish(ecdc_encoder *e, ecdc_error *err) {
    ecdc_status status = usable(e, err);
    if (status != ECDC_OK)
        return status;
    status = pipeline_finish(&e->pipeline, &e->engine, err);
    if (status == ECDC_OK)
        status = quantize(e, err);
    e->finished = true;
    e->broken = status != ECDC_OK;
    return status;
}

size_t ecdc_encoder_ready(const ecdc_encoder *e) {
    return e->codes.n;
}

size_t ecdc_encoder_pull(ecdc_encoder *e, int32_t *codes, size_t max_frames) {
    return fifo_take(&e->codes, codes, max_frames);
}

void ecdc_encoder_reset(ecdc_encoder *e) {
    fifo_clear(&e->codes);
    e->samples = 0;
    e->finished = false;
    e->broken = pipeline_reset(&e->pipeline, NULL) != ECDC_OK;
}

void encoder_set_profile(ecdc_encoder *e, struct profile *profile) {
    e->profile = profile;
    pipeline_set_profile(&e->pipeline, profile);
}
