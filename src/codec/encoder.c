/* Samples -> SEANet encoder -> residual vector quantizer -> codes: as a stream, or for models with chunks by
 * chunk_encoder.c. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "codec/chunk_encoder.h"
#include "codec/pipeline.h"
#include "codec/quantizer.h"
#include "codec/settings.h"

/* Frames per block of the fast and of the slow layers (see pipeline.h): measured, flat around these values. */
enum { FAST_FRAMES = 12, SLOW_FRAMES = 144 };

struct ecdc_encoder {
    size_t channels, hop, n_codebooks;
    struct engine engine;
    struct chunk_encoder *chunks; /* for models with chunks; then nothing below but counts and flags is used */
    struct pipeline pipeline;
    const struct network *codebooks;
    float *scratch;
    struct fifo codes; /* items are frames */
    uint64_t samples;  /* per channel, taken so far, for messages */
    bool finished;
    bool broken; /* memory ran out half way through a layer */
    struct profile *profile;
};

/* What a model without chunks needs. */
static ecdc_status open_stream(ecdc_encoder *e, const ecdc_model *model, ecdc_error *err) {
    const struct network *net = NULL;
    e->codes.item_size = e->n_codebooks * sizeof(int32_t);
    ecdc_status status = network_get(model, NETWORK_ENCODER, e->engine.kernels, 0, &net, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_CODEBOOK_SEARCH, e->engine.kernels, (int)e->n_codebooks, &e->codebooks, err);
    if (status == ECDC_OK && !(e->scratch = ecdc_alloc_floats(quantizer_scratch(e->codebooks))))
        status = ecdc_fail_memory(err, "the quantizer");
    return status == ECDC_OK ? pipeline_init(&e->pipeline, net, err) : status;
}

ecdc_status ecdc_encoder_new(const ecdc_model *model, const ecdc_settings *settings, ecdc_encoder **out,
                             ecdc_error *err) {
    ecdc_settings s = settings ? *settings : ecdc_default_settings();
    bool chunked = config_chunk_samples(&model->config) > 0;
    int n_codebooks;
    if (chunked)
        s.group = NULL; /* its threads have a chunk each */
    ecdc_status status = settings_codebooks(model, &s, &n_codebooks, err);
    if (status != ECDC_OK)
        return status;
    ecdc_encoder *e = ecdc_alloc_zeros(1, sizeof *e);
    if (!e)
        return ecdc_fail_memory(err, "an encoder");
    e->channels = (size_t)model->config.audio_channels;
    e->hop = (size_t)config_hop(&model->config);
    e->n_codebooks = (size_t)n_codebooks;
    status = engine_open(&e->engine, &s, err);
    if (status == ECDC_OK && chunked)
        status = chunk_encoder_new(model, &e->engine, n_codebooks, &e->chunks, err);
    else if (status == ECDC_OK)
        status = open_stream(e, model, err);
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
    chunk_encoder_free(e->chunks);
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
        memcpy(in, samples + i * e->channels, part * e->channels * sizeof *in);
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

static ecdc_status push_stream(ecdc_encoder *e, const float *samples, size_t n_samples, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    size_t block = SLOW_FRAMES * e->hop;
    for (size_t i = 0, part; status == ECDC_OK && i < n_samples; i += part) {
        part = n_samples - i < block ? n_samples - i : block;
        status = push_block(e, samples + i * e->channels, part, err);
    }
    return status;
}

ecdc_status ecdc_encoder_push(ecdc_encoder *e, const float *samples, size_t n_samples, ecdc_error *err) {
    ecdc_status status = usable(e, err);
    for (size_t i = 0; status == ECDC_OK && i < n_samples * e->channels; i++)
        if (!isfinite(samples[i])) /* one would stay in the LSTM for ever */
            status = ecdc_fail(err, ECDC_E_ARGUMENT, "sample %llu is %f, not a finite number",
                               (unsigned long long)(e->samples + i / e->channels), (double)samples[i]);
    if (status != ECDC_OK)
        return status;
    status = e->chunks ? chunk_encoder_push(e->chunks, samples, n_samples, err) : push_stream(e, samples, n_samples, err);
    e->samples += n_samples;
    e->broken = status != ECDC_OK;
    return status;
}

ecdc_status ecdc_encoder_finish(ecdc_encoder *e, ecdc_error *err) {
    ecdc_status status = usable(e, err);
    if (status != ECDC_OK)
        return status;
    status = e->chunks ? chunk_encoder_finish(e->chunks, err) : pipeline_finish(&e->pipeline, &e->engine, err);
    if (status == ECDC_OK && !e->chunks)
        status = quantize(e, err);
    e->finished = true;
    e->broken = status != ECDC_OK;
    return status;
}

size_t ecdc_encoder_ready(const ecdc_encoder *e) {
    return e->chunks ? chunk_encoder_ready(e->chunks) : e->codes.n;
}

size_t ecdc_encoder_pull(ecdc_encoder *e, int32_t *codes, size_t max_frames) {
    return fifo_take(&e->codes, codes, max_frames);
}

int ecdc_encoder_pull_chunk(ecdc_encoder *e, int32_t *codes, size_t *n_frames, float *scale) {
    return e->chunks && chunk_encoder_pull(e->chunks, codes, n_frames, scale);
}

void ecdc_encoder_reset(ecdc_encoder *e) {
    fifo_clear(&e->codes);
    e->samples = 0;
    e->finished = false;
    if (e->chunks)
        chunk_encoder_reset(e->chunks);
    e->broken = pipeline_reset(&e->pipeline, NULL) != ECDC_OK;
}

void encoder_set_profile(ecdc_encoder *e, struct profile *profile) {
    e->profile = profile;
    pipeline_set_profile(&e->pipeline, profile);
}
