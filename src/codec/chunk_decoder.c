#include "codec/chunk_decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "codec/chunk_network.h"
#include "codec/quantizer.h"

/* One chunk at work. */
struct worker {
    struct chunk_network network;
    int32_t *codes;
    size_t n_frames;
    float scale;
    float *sound;
    ecdc_status status;
    ecdc_error err;
};

struct chunk_decoder {
    const struct engine *engine;
    const struct network *codebooks;
    size_t channels, stride, hop, chunk_frames, n_codebooks;
    bool normalize;
    size_t n_workers, n_waiting; /* chunks that are not decoded yet have the first workers */
    struct worker *workers;

    uint64_t n_chunks;          /* taken so far */
    size_t first_frames, last_frames;
    /* Overlap-add: from the start of the newest chunk on, sound times weight summed over the chunks, and the weights. */
    size_t window;              /* samples of a whole chunk, decoded */
    float *weight, *sum, *sum_of_weights;
    uint64_t n_added;           /* chunks */
    size_t newest, emitted;     /* samples of the newest chunk, and those of them that are in `samples` */
    struct fifo samples;        /* items are samples of all channels */
};

ecdc_status chunk_decoder_new(const ecdc_model *model, const struct engine *engine, int n_codebooks,
                              struct chunk_decoder **out, ecdc_error *err) {
    const struct config *config = &model->config;
    struct chunk_decoder *c = ecdc_alloc_zeros(1, sizeof *c);
    if (!c)
        return ecdc_fail_memory(err, "a decoder");
    c->engine = engine;
    c->channels = (size_t)config->audio_channels;
    c->stride = (size_t)config_chunk_stride(config);
    c->hop = (size_t)config_hop(config);
    c->chunk_frames = (size_t)config_chunk_frames(config);
    c->n_codebooks = (size_t)n_codebooks;
    c->normalize = config->normalize;
    c->window = c->chunk_frames * c->hop;
    c->samples.item_size = c->channels * sizeof(float);
    c->n_workers = (size_t)pool_threads(engine->pool);
    c->workers = ecdc_alloc_zeros(c->n_workers, sizeof *c->workers);
    c->weight = ecdc_alloc_floats(c->window);
    c->sum = ecdc_alloc_floats(c->window * c->channels);
    c->sum_of_weights = ecdc_alloc_floats(c->window);
    const struct network *net = NULL;
    ecdc_status status = c->workers && c->weight && c->sum && c->sum_of_weights ? ECDC_OK
                                                                                : ecdc_fail_memory(err, "a decoder");
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_DECODER, engine->kernels, 0, &net, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_CODEBOOK_ROWS, engine->kernels, n_codebooks, &c->codebooks, err);
    for (size_t i = 0; status == ECDC_OK && i < c->n_workers; i++) {
        struct worker *w = &c->workers[i];
        status = chunk_network_init(&w->network, net, c->chunk_frames, err);
        w->codes = ecdc_alloc_array(c->chunk_frames * c->n_codebooks, sizeof *w->codes);
        w->sound = ecdc_alloc_floats(c->window * c->channels);
        if (status == ECDC_OK && (!w->codes || !w->sound))
            status = ecdc_fail_memory(err, "a chunk");
    }
    if (status != ECDC_OK) {
        chunk_decoder_free(c);
        return status;
    }
    chunk_decoder_reset(c);
    *out = c;
    return ECDC_OK;
}

void chunk_decoder_free(struct chunk_decoder *c) {
    if (!c)
        return;
    for (size_t i = 0; c->workers && i < c->n_workers; i++) {
        chunk_network_free(&c->workers[i].network);
        free(c->workers[i].codes);
        free(c->workers[i].sound);
    }
    free(c->workers);
    free(c->weight);
    free(c->sum);
    free(c->sum_of_weights);
    fifo_free(&c->samples);
    free(c);
}

void chunk_decoder_reset(struct chunk_decoder *c) {
    c->n_waiting = 0;
    c->n_chunks = c->n_added = 0;
    c->newest = c->emitted = 0;
    memset(c->sum, 0, c->window * c->channels * sizeof *c->sum);
    memset(c->sum_of_weights, 0, c->window * sizeof *c->sum_of_weights);
    fifo_clear(&c->samples);
}

/* ------------------------------------------------------------------------------------------- overlap-add --- */

/* A triangle over the first chunk's n samples, 0.5 - |t - 0.5| at t = 1/(n+1) ... n/(n+1), in float as torch.linspace counts
 * it: from both ends. */
static void make_weights(float *weight, size_t n) {
    float step = 1.0f / (float)(n + 1);
    for (size_t i = 0; i < n; i++) {
        float t = i + 1 < (n + 2) / 2 ? step * (float)(i + 1) : 1 - step * (float)(n - i);
        weight[i] = 0.5f - fabsf(t - 0.5f);
    }
}

/* Samples [emitted, end) of the newest chunk are what they will stay. */
static ecdc_status emit(struct chunk_decoder *c, size_t end, ecdc_error *err) {
    if (end <= c->emitted)
        return ECDC_OK;
    size_t n = end - c->emitted;
    float *out = fifo_reserve(&c->samples, n);
    if (!out)
        return ecdc_fail_memory(err, "samples that were not pulled");
    for (size_t i = c->emitted; i < end; i++)
        for (size_t channel = 0; channel < c->channels; channel++)
            *out++ = c->sum[i * c->channels + channel] / c->sum_of_weights[i];
    fifo_commit(&c->samples, n);
    c->emitted = end;
    return ECDC_OK;
}

/* The window moves on to the next chunk's start. */
static void advance(struct chunk_decoder *c) {
    size_t move = c->stride < c->window ? c->stride : c->window, keep = c->window - move;
    memmove(c->sum, c->sum + move * c->channels, keep * c->channels * sizeof *c->sum);
    memmove(c->sum_of_weights, c->sum_of_weights + move, keep * sizeof *c->sum_of_weights);
    memset(c->sum + keep * c->channels, 0, move * c->channels * sizeof *c->sum);
    memset(c->sum_of_weights + keep, 0, move * sizeof *c->sum_of_weights);
}

static ecdc_status add_chunk(struct chunk_decoder *c, const struct worker *w, ecdc_error *err) {
    if (c->n_added++ == 0)
        make_weights(c->weight, w->n_frames * c->hop);
    else
        advance(c);
    c->newest = w->n_frames * c->hop;
    c->emitted = 0;
    for (size_t i = 0; i < c->newest; i++) {
        for (size_t channel = 0; channel < c->channels; channel++)
            c->sum[i * c->channels + channel] += c->weight[i] * w->sound[i * c->channels + channel];
        c->sum_of_weights[i] += c->weight[i];
    }
    return emit(c, c->newest < c->stride ? c->newest : c->stride, err);
}

/* -------------------------------------------------------------------------------------------------- work --- */

static void work(const struct chunk_decoder *c, const struct engine *engine, struct worker *w) {
    quantizer_decode(c->codebooks, c->n_codebooks, w->codes, w->n_frames, chunk_network_input(&w->network, w->n_frames));
    w->status = chunk_network_run(&w->network, engine, &w->err);
    if (w->status != ECDC_OK)
        return;
    chunk_network_output(&w->network, engine->kernels, w->sound);
    for (size_t i = 0; c->normalize && i < w->n_frames * c->hop * c->channels; i++)
        w->sound[i] *= w->scale;
}

static void work_alone(void *context, int part) {
    struct chunk_decoder *c = context;
    const struct engine alone = engine_of_thread(c->engine, part);
    if ((size_t)part < c->n_waiting)
        work(c, &alone, &c->workers[part]);
}

static ecdc_status decode_waiting(struct chunk_decoder *c, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    if (c->n_waiting == 1)
        work(c, c->engine, &c->workers[0]);
    else if (c->n_waiting > 1)
        pool_run(c->engine->pool, work_alone, c);
    for (size_t i = 0; status == ECDC_OK && i < c->n_waiting; i++)
        status = c->workers[i].status == ECDC_OK
                     ? add_chunk(c, &c->workers[i], err)
                     : ecdc_fail(err, c->workers[i].status, "%s", c->workers[i].err.message);
    c->n_waiting = 0;
    return status;
}

/* What an encoder yields always passes: chunks are as long as the first one until the last, or where those two overlap by
 * less than a frame the last two, are shorter. */
ecdc_status chunk_decoder_check(const struct chunk_decoder *c, size_t n_frames, float scale, ecdc_error *err) {
    unsigned long long number = (unsigned long long)c->n_chunks;
    if (n_frames < 1 || n_frames > c->chunk_frames)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "chunk %llu has %zu frames, allowed are 1 to %zu", number, n_frames,
                         c->chunk_frames);
    if (!isfinite(scale))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the scale of chunk %llu is %f, not a finite number", number, (double)scale);
    if (c->n_chunks > 0 && n_frames > c->first_frames)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "chunk %llu has %zu frames, more than the first one's %zu", number, n_frames,
                         c->first_frames);
    if (c->n_chunks > 0 && c->last_frames * c->hop < c->stride)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "chunk %llu follows one of %zu frames, which is too short to be followed", number,
                         c->last_frames);
    return ECDC_OK;
}

ecdc_status chunk_decoder_push(struct chunk_decoder *c, const int32_t *codes, size_t n_frames, float scale, ecdc_error *err) {
    if (c->n_chunks++ == 0)
        c->first_frames = n_frames;
    c->last_frames = n_frames;
    struct worker *w = &c->workers[c->n_waiting++];
    memcpy(w->codes, codes, n_frames * c->n_codebooks * sizeof *codes);
    w->n_frames = n_frames;
    w->scale = scale;
    return c->n_waiting == c->n_workers ? decode_waiting(c, err) : ECDC_OK;
}

ecdc_status chunk_decoder_finish(struct chunk_decoder *c, ecdc_error *err) {
    ecdc_status status = decode_waiting(c, err);
    return status == ECDC_OK ? emit(c, c->newest, err) : status;
}

size_t chunk_decoder_ready(const struct chunk_decoder *c) {
    return c->samples.n;
}

size_t chunk_decoder_pull(struct chunk_decoder *c, float *samples, size_t max_samples) {
    return fifo_take(&c->samples, samples, max_samples);
}
