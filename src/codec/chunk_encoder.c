#include "codec/chunk_encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "codec/chunk_network.h"
#include "codec/quantizer.h"

static const float SCALE_FLOOR = 1e-8f; /* transformers EncodecModel._encode_frame */

/* A finished chunk as it waits; its codes follow. */
struct coded_chunk {
    size_t n_frames;
    float scale;
    int32_t codes[];
};

/* One chunk at work. */
struct worker {
    struct chunk_network network;
    float *vectors, *scratch; /* the network's output; the quantizer's scratch */
    const float *samples;
    size_t n_samples;
    struct coded_chunk *out;
    ecdc_status status;
    ecdc_error err;
};

struct chunk_encoder {
    const struct engine *engine;
    const struct network *codebooks;
    size_t channels, chunk, stride, n_codebooks;
    bool normalize;
    size_t n_workers;
    struct worker *workers;
    struct fifo samples; /* from the first chunk that has not been coded; items are samples of all channels */
    struct fifo coded;   /* items are coded chunks */
};

ecdc_status chunk_encoder_new(const ecdc_model *model, const struct engine *engine, int n_codebooks,
                              struct chunk_encoder **out, ecdc_error *err) {
    const struct config *config = &model->config;
    size_t frames = (size_t)config_chunk_frames(config);
    struct chunk_encoder *c = ecdc_alloc_zeros(1, sizeof *c);
    if (!c)
        return ecdc_fail_memory(err, "an encoder");
    c->engine = engine;
    c->channels = (size_t)config->audio_channels;
    c->chunk = (size_t)config_chunk_samples(config);
    c->stride = (size_t)config_chunk_stride(config);
    c->n_codebooks = (size_t)n_codebooks;
    c->normalize = config->normalize;
    c->samples.item_size = c->channels * sizeof(float);
    c->coded.item_size = sizeof(struct coded_chunk) + frames * c->n_codebooks * sizeof(int32_t);
    c->coded.item_size += -c->coded.item_size % _Alignof(struct coded_chunk);
    c->n_workers = (size_t)pool_threads(engine->pool);
    c->workers = ecdc_alloc_zeros(c->n_workers, sizeof *c->workers);
    const struct network *net = NULL;
    ecdc_status status = c->workers ? ECDC_OK : ecdc_fail_memory(err, "an encoder");
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_ENCODER, engine->kernels, 0, &net, err);
    if (status == ECDC_OK)
        status = network_get(model, NETWORK_CODEBOOK_SEARCH, engine->kernels, n_codebooks, &c->codebooks, err);
    for (size_t i = 0; status == ECDC_OK && i < c->n_workers; i++) {
        struct worker *w = &c->workers[i];
        status = chunk_network_init(&w->network, net, c->chunk, err);
        w->vectors = ecdc_alloc_floats(frames * c->codebooks->dimension);
        w->scratch = ecdc_alloc_floats(quantizer_scratch(c->codebooks));
        if (status == ECDC_OK && (!w->vectors || !w->scratch))
            status = ecdc_fail_memory(err, "the quantizer");
    }
    if (status != ECDC_OK)
        chunk_encoder_free(c);
    else
        *out = c;
    return status;
}

void chunk_encoder_free(struct chunk_encoder *c) {
    if (!c)
        return;
    for (size_t i = 0; c->workers && i < c->n_workers; i++) {
        chunk_network_free(&c->workers[i].network);
        free(c->workers[i].vectors);
        free(c->workers[i].scratch);
    }
    free(c->workers);
    fifo_free(&c->samples);
    fifo_free(&c->coded);
    free(c);
}

void chunk_encoder_reset(struct chunk_encoder *c) {
    fifo_clear(&c->samples);
    fifo_clear(&c->coded);
}

/* The loudness of a chunk: the root mean square of the mean of its channels. */
static float scale_of(const struct chunk_encoder *c, const float *samples, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float mono = 0;
        for (size_t channel = 0; channel < c->channels; channel++)
            mono += samples[i * c->channels + channel];
        mono /= (float)c->channels;
        sum += (double)mono * (double)mono;
    }
    return sqrtf((float)(sum / (double)n)) + SCALE_FLOOR;
}

static void work(const struct chunk_encoder *c, const struct engine *engine, struct worker *w) {
    size_t n = w->n_samples * c->channels;
    float *in = chunk_network_input(&w->network, w->n_samples);
    memcpy(in, w->samples, n * sizeof *in);
    w->out->scale = c->normalize ? scale_of(c, w->samples, w->n_samples) : 1;
    for (size_t i = 0; c->normalize && i < n; i++)
        in[i] /= w->out->scale;
    w->status = chunk_network_run(&w->network, engine, &w->err);
    if (w->status != ECDC_OK)
        return;
    w->out->n_frames = chunk_network_rows(&w->network);
    chunk_network_output(&w->network, engine->kernels, w->vectors);
    quantizer_encode(c->codebooks, engine, c->n_codebooks, w->vectors, w->out->n_frames, w->scratch, w->out->codes);
}

struct batch {
    struct chunk_encoder *encoder;
    size_t n;
};

static void work_alone(void *context, int part) {
    const struct batch *batch = context;
    const struct engine alone = engine_of_thread(batch->encoder->engine, part);
    if ((size_t)part < batch->n)
        work(batch->encoder, &alone, &batch->encoder->workers[part]);
}

/* Codes the first n chunks of what waits, n up to the number of workers. */
static ecdc_status code_chunks(struct chunk_encoder *c, size_t n, ecdc_error *err) {
    const float *samples = fifo_items(&c->samples);
    unsigned char *out = fifo_reserve(&c->coded, n);
    if (!out)
        return ecdc_fail_memory(err, "chunks that were not pulled");
    for (size_t i = 0; i < n; i++) {
        size_t left = c->samples.n - i * c->stride;
        c->workers[i].samples = samples + i * c->stride * c->channels;
        c->workers[i].n_samples = left < c->chunk ? left : c->chunk;
        c->workers[i].out = (struct coded_chunk *)(void *)(out + i * c->coded.item_size);
    }
    if (n == 1)
        work(c, c->engine, &c->workers[0]);
    else
        pool_run(c->engine->pool, work_alone, &(struct batch){c, n});
    for (size_t i = 0; i < n; i++)
        if (c->workers[i].status != ECDC_OK)
            return ecdc_fail(err, c->workers[i].status, "%s", c->workers[i].err.message);
    fifo_commit(&c->coded, n);
    fifo_drop(&c->samples, n * c->stride < c->samples.n ? n * c->stride : c->samples.n);
    return ECDC_OK;
}

ecdc_status chunk_encoder_push(struct chunk_encoder *c, const float *samples, size_t n, ecdc_error *err) {
    size_t enough = (c->n_workers - 1) * c->stride + c->chunk; /* for one whole chunk per worker */
    ecdc_status status = ECDC_OK;
    for (size_t i = 0, part; status == ECDC_OK && i < n; i += part) {
        part = n - i < enough - c->samples.n ? n - i : enough - c->samples.n;
        float *room = fifo_reserve(&c->samples, part);
        if (!room)
            return ecdc_fail_memory(err, "samples of a chunk");
        memcpy(room, samples + i * c->channels, part * c->samples.item_size);
        fifo_commit(&c->samples, part);
        if (c->samples.n == enough)
            status = code_chunks(c, c->n_workers, err);
    }
    return status;
}

ecdc_status chunk_encoder_finish(struct chunk_encoder *c, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && c->samples.n > 0) {
        size_t chunks = (c->samples.n + c->stride - 1) / c->stride; /* the last ones shorter */
        status = code_chunks(c, chunks < c->n_workers ? chunks : c->n_workers, err);
    }
    return status;
}

size_t chunk_encoder_ready(const struct chunk_encoder *c) {
    return c->coded.n;
}

bool chunk_encoder_pull(struct chunk_encoder *c, int32_t *codes, size_t *n_frames, float *scale) {
    if (c->coded.n == 0)
        return false;
    const struct coded_chunk *chunk = fifo_items(&c->coded);
    memcpy(codes, chunk->codes, chunk->n_frames * c->n_codebooks * sizeof *codes);
    *n_frames = chunk->n_frames;
    *scale = chunk->scale;
    fifo_drop(&c->coded, 1);
    return true;
}
