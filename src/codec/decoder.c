/* Codes -> sums of codebook entries -> SEANet decoder -> samples: as a stream, or for models with chunks by
 * chunk_decoder.c. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "codec/chunk_decoder.h"
#include "codec/pipeline.h"
#include "codec/quantizer.h"
#include "codec/settings.h"

/* Frames per block of the slow layers, and of the fast ones behind them (see pipeline.h). */
enum { SLOW_FRAMES = 144, FAST_FRAMES = 12 };

struct ecdc_decoder {
    size_t n_codebooks, entries;
    struct engine engine;
    struct chunk_decoder *chunks; /* for models with chunks; then nothing below but counts and flags is used */
    struct pipeline pipeline;
    const struct network *codebooks;
    size_t fast_steps;   /* FAST_FRAMES in rows of the first fast layer */
    struct fifo samples;
    uint64_t frames;     /* or chunks, taken so far, for messages */
    bool finished, broken;
    struct profile *profile;
};

/* What a model without chunks needs. */
static ecdc_status open_stream(ecdc_decoder *d, const ecdc_model *model, ecdc_error *err) {
    const struct network *net = NULL;
    d->fast_steps = FAST_FRAMES * (size_t)model->config.upsampling_ratios[0];
    d->samples.item_size = (size_t)model->config.audio_channels * sizeof(float);
    ecdc_status status = network_get(model, NETWORK_DECODER, d->engine.kernels, 0, &net, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_CODEBOOK_ROWS, d->engine.kernels, (int)d->n_codebooks, &d->codebooks, err);
    return status == ECDC_OK ? pipeline_init(&d->pipeline, net, err) : status;
}

ecdc_status ecdc_decoder_new(const ecdc_model *model, const ecdc_settings *settings, ecdc_decoder **out,
                             ecdc_error *err) {
    ecdc_settings s = settings ? *settings : ecdc_default_settings();
    bool chunked = config_chunk_samples(&model->config) > 0;
    int n_codebooks;
    if (chunked)
        s.group = NULL; /* its threads have a chunk each */
    ecdc_status status = settings_codebooks(model, &s, &n_codebooks, err);
    if (status != ECDC_OK)
        return status;
    ecdc_decoder *d = ecdc_alloc_zeros(1, sizeof *d);
    if (!d)
        return ecdc_fail_memory(err, "a decoder");
    d->n_codebooks = (size_t)n_codebooks;
    d->entries = (size_t)model->config.codebook_size;
    status = engine_open(&d->engine, &s, err);
    if (status == ECDC_OK && chunked)
        status = chunk_decoder_new(model, &d->engine, n_codebooks, &d->chunks, err);
    else if (status == ECDC_OK)
        status = open_stream(d, model, err);
    if (status != ECDC_OK) {
        ecdc_decoder_free(d);
        return status;
    }
    *out = d;
    return ECDC_OK;
}

void ecdc_decoder_free(ecdc_decoder *d) {
    if (!d)
        return;
    chunk_decoder_free(d->chunks);
    pipeline_free(&d->pipeline);
    engine_close(&d->engine);
    fifo_free(&d->samples);
    free(d);
}

int ecdc_decoder_codebooks(const ecdc_decoder *d) {
    return (int)d->n_codebooks;
}

static ecdc_status collect(ecdc_decoder *d, ecdc_error *err) {
    struct rows *out = &d->pipeline.out;
    if (out->n == 0)
        return ECDC_OK;
    float *samples = fifo_reserve(&d->samples, out->n);
    if (!samples)
        return ecdc_fail_memory(err, "samples that were not pulled");
    memcpy(samples, rows_raw(out, 0), out->n * d->samples.item_size);
    fifo_commit(&d->samples, out->n);
    rows_drop(out, out->n);
    return ECDC_OK;
}

static ecdc_status push_block(ecdc_decoder *d, const int32_t *codes, size_t n, ecdc_error *err) {
    float *vectors = pipeline_input(&d->pipeline, n, err);
    if (!vectors)
        return ECDC_E_MEMORY;
    double start = profile_start(d->profile);
    quantizer_decode(d->codebooks, d->n_codebooks, codes, n, vectors);
    if (d->profile)
        d->profile->quantizer_s += now_s() - start;
    ecdc_status status = pipeline_head(&d->pipeline, &d->engine, n, err);
    if (status == ECDC_OK)
        status = pipeline_tail(&d->pipeline, &d->engine, d->fast_steps, err);
    return status == ECDC_OK ? collect(d, err) : status;
}

static ecdc_status usable(const ecdc_decoder *d, ecdc_error *err) {
    if (d->broken)
        return ecdc_fail(err, ECDC_E_MEMORY, "the decoder ran out of memory before: reset or free it");
    if (d->finished)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the signal was finished: reset the decoder for another one");
    return ECDC_OK;
}

/* @param first  the number of the first frame, for the message
 * @param where  " of chunk N", or nothing */
static ecdc_status check_codes(const ecdc_decoder *d, const int32_t *codes, size_t n_frames, uint64_t first, const char *where,
                               ecdc_error *err) {
    for (size_t t = 0; t < n_frames; t++)
        for (size_t q = 0; q < d->n_codebooks; q++) {
            int32_t code = codes[t * d->n_codebooks + q];
            if (code < 0 || (size_t)code >= d->entries)
                return ecdc_fail(err, ECDC_E_ARGUMENT, "code %d at frame %llu%s, codebook %zu is outside 0 to %zu",
                                 (int)code, (unsigned long long)(first + t), where, q, d->entries - 1);
        }
    return ECDC_OK;
}

ecdc_status ecdc_decoder_push(ecdc_decoder *d, const int32_t *codes, size_t n_frames, ecdc_error *err) {
    ecdc_status status = usable(d, err);
    if (status == ECDC_OK && d->chunks)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "the model decodes chunks: ecdc_decoder_push_chunk takes them");
    if (status == ECDC_OK)
        status = check_codes(d, codes, n_frames, d->frames, "", err);
    if (status != ECDC_OK)
        return status;
    for (size_t t = 0, part; status == ECDC_OK && t < n_frames; t += part) {
        part = n_frames - t < SLOW_FRAMES ? n_frames - t : SLOW_FRAMES;
        status = push_block(d, codes + t * d->n_codebooks, part, err);
    }
    d->frames += n_frames;
    d->broken = status != ECDC_OK;
    return status;
}

ecdc_status ecdc_decoder_push_chunk(ecdc_decoder *d, const int32_t *codes, size_t n_frames, float scale, ecdc_error *err) {
    ecdc_status status = usable(d, err);
    if (status == ECDC_OK && !d->chunks)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "the model has no chunks: ecdc_decoder_push takes its frames");
    if (status == ECDC_OK)
        status = chunk_decoder_check(d->chunks, n_frames, scale, err);
    if (status == ECDC_OK) {
        char where[40];
        snprintf(where, sizeof where, " of chunk %llu", (unsigned long long)d->frames);
        status = check_codes(d, codes, n_frames, 0, where, err);
    }
    if (status != ECDC_OK)
        return status;
    status = chunk_decoder_push(d->chunks, codes, n_frames, scale, err);
    d->frames++;
    d->broken = status != ECDC_OK;
    return status;
}

ecdc_status ecdc_decoder_finish(ecdc_decoder *d, ecdc_error *err) {
    ecdc_status status = usable(d, err);
    if (status != ECDC_OK)
        return status;
    status = d->chunks ? chunk_decoder_finish(d->chunks, err) : pipeline_finish(&d->pipeline, &d->engine, err);
    if (status == ECDC_OK && !d->chunks)
        status = collect(d, err);
    d->finished = true;
    d->broken = status != ECDC_OK;
    return status;
}

size_t ecdc_decoder_ready(const ecdc_decoder *d) {
    return d->chunks ? chunk_decoder_ready(d->chunks) : d->samples.n;
}

size_t ecdc_decoder_pull(ecdc_decoder *d, float *samples, size_t max_samples) {
    return d->chunks ? chunk_decoder_pull(d->chunks, samples, max_samples) : fifo_take(&d->samples, samples, max_samples);
}

void ecdc_decoder_reset(ecdc_decoder *d) {
    fifo_clear(&d->samples);
    d->frames = 0;
    d->finished = false;
    if (d->chunks)
        chunk_decoder_reset(d->chunks);
    d->broken = pipeline_reset(&d->pipeline, NULL) != ECDC_OK;
}

void decoder_set_profile(ecdc_decoder *d, struct profile *profile) {
    d->profile = profile;
    pipeline_set_profile(&d->pipeline, profile);
}
