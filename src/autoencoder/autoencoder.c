/* Codes through the bottleneck and back. Patches of all rows stand one after the other, so that a product meets many of them at
 * once; a patch's frames lie one behind the other, so that what is a row to the encoder is `patch` rows to the lookup and the heads. */
#include <stdlib.h>
#include <string.h>

#include "autoencoder/weights.h"
#include "base/memory.h"
#include "base/status.h"
#include "compute/engine.h"

enum {
    PIECE = 64,     /* patches at a time */
    HEAD_ROWS = 128 /* frames at a time: their logits for one codebook stay in the cache */
};

struct ecdc_autoencoder {
    struct engine engine;
    struct autoencoder_weights weights;
    float *frames, *hidden, *codes, *decoded, *logits; /* of a piece */
};

static float *alloc_piece(size_t rows, size_t width) {
    size_t n;
    return ecdc_mul_size(rows, width, &n) ? ecdc_alloc_floats(n) : NULL;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static ecdc_status alloc_pieces(ecdc_autoencoder *a, ecdc_error *err) {
    const struct autoencoder_weights *w = &a->weights;
    a->frames = alloc_piece(PIECE, w->patch * w->embedding);
    a->hidden = alloc_piece(PIECE, larger(w->encoder_hidden, w->decoder_hidden));
    a->codes = alloc_piece(PIECE, w->code);
    a->decoded = alloc_piece(PIECE, w->patch * w->frame);
    a->logits = alloc_piece(HEAD_ROWS, w->codebook_size);
    return a->frames && a->hidden && a->codes && a->decoded && a->logits ? ECDC_OK
                                                                         : ecdc_fail_memory(err, "a piece of an autoencoder");
}

ecdc_status ecdc_autoencoder_open(const char *path, const ecdc_settings *settings, ecdc_autoencoder **autoencoder,
                                  ecdc_error *err) {
    ecdc_settings defaults = ecdc_default_settings();
    ecdc_autoencoder *a = ecdc_alloc_zeros(1, sizeof *a);
    if (!a)
        return ecdc_fail_memory(err, "an autoencoder");
    ecdc_status status = engine_open(&a->engine, settings ? settings : &defaults, err);
    if (status == ECDC_OK)
        status = autoencoder_weights_read(&a->weights, path, a->engine.kernels, err);
    if (status == ECDC_OK)
        status = alloc_pieces(a, err);
    if (status == ECDC_OK)
        *autoencoder = a;
    else
        ecdc_autoencoder_close(a);
    return status;
}

void ecdc_autoencoder_close(ecdc_autoencoder *a) {
    if (!a)
        return;
    autoencoder_weights_free(&a->weights);
    engine_close(&a->engine);
    free(a->frames);
    free(a->hidden);
    free(a->codes);
    free(a->decoded);
    free(a->logits);
    free(a);
}

void ecdc_autoencoder_get_info(const ecdc_autoencoder *a, ecdc_autoencoder_info *info) {
    const struct autoencoder_weights *w = &a->weights;
    *info = (ecdc_autoencoder_info){.n_codebooks = (int)w->n_codebooks,
                                    .codebook_size = (int)w->codebook_size,
                                    .frames_per_tr = (int64_t)w->n_frames,
                                    .bottleneck = (int64_t)(w->n_patches * w->code),
                                    .patch_frames = (int64_t)w->patch,
                                    .n_patches = (int64_t)w->n_patches,
                                    .n_parameters = w->n_parameters,
                                    .model = w->model,
                                    .model_sha256 = w->model_sha256};
}

/* ------------------------------------------------------------------------------------------------------ in --- */

/* Whether a row has this frame: -1 in the first codebook must be -1 in all. */
static bool has_frame(const int64_t *row, size_t frame) {
    return row[frame] != -1;
}

static ecdc_status check_rows(const struct autoencoder_weights *w, const int64_t *codes, size_t n_trs, ecdc_error *err) {
    for (size_t tr = 0; tr < n_trs; tr++) {
        const int64_t *row = codes + tr * w->n_codebooks * w->n_frames;
        for (size_t q = 0; q < w->n_codebooks; q++)
            for (size_t f = 0; f < w->n_frames; f++) {
                int64_t code = row[q * w->n_frames + f];
                if (has_frame(row, f) ? code < 0 || code >= (int64_t)w->codebook_size : code != -1)
                    return ecdc_fail(err, ECDC_E_ARGUMENT, "code %lld of TR %zu, codebook %zu, frame %zu is out of range; allowed are 0 "
                                     "to %zu, and -1 in all codebooks where there is no frame", (long long)code, tr, q, f,
                                     w->codebook_size - 1);
            }
    }
    return ECDC_OK;
}

/* The sum of a frame's entries; zeros where there is no frame, and behind the row's end in its last patch. */
static void look_up(const struct autoencoder_weights *w, const int64_t *row, size_t frame, float *out) {
    memset(out, 0, w->embedding * sizeof *out);
    if (frame >= w->n_frames || !has_frame(row, frame))
        return;
    for (size_t q = 0; q < w->n_codebooks; q++) {
        const float *entry = w->table + (q * w->codebook_size + (size_t)row[q * w->n_frames + frame]) * w->embedding;
        for (size_t i = 0; i < w->embedding; i++)
            out[i] += entry[i];
    }
}

/* ----------------------------------------------------------------------------------------------------- layers --- */

/* A linear layer, then ELU if asked for. */
static void linear(const ecdc_autoencoder *a, const struct matrix *m, const float *x, float *y, size_t rows, bool elu) {
    struct product p = {.m = m, .in[0] = {x, (ptrdiff_t)m->k, 1, 0, m->k}, .ld_y = (ptrdiff_t)m->n, .ld_elu = (ptrdiff_t)m->n};
    *(elu ? &p.elu : &p.y) = y;
    engine_product(&a->engine, &p, rows);
}

static size_t argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

struct output {
    const int64_t *codes; /* what came in, as it tells which frames there are */
    int64_t *result;
    float *logits; /* may be NULL */
};

/* Frames [first, first + n) of the piece's decoded ones through the head of one codebook; `frame0` is the number of the piece's
 * first frame among those of all patches. */
static void run_head(const ecdc_autoencoder *a, size_t q, size_t frame0, size_t first, size_t n, const struct output *out) {
    const struct autoencoder_weights *w = &a->weights;
    size_t per_tr = w->n_patches * w->patch, size = w->codebook_size;
    linear(a, &w->heads[q], a->decoded + first * w->frame, a->logits, n, false);
    for (size_t i = 0; i < n; i++) {
        size_t tr = (frame0 + first + i) / per_tr, f = (frame0 + first + i) % per_tr;
        if (f >= w->n_frames)
            continue;
        const int64_t *row = out->codes + tr * w->n_codebooks * w->n_frames;
        size_t at = (tr * w->n_codebooks + q) * w->n_frames + f;
        const float *logits = a->logits + i * size;
        if (out->logits)
            memcpy(out->logits + at * size, logits, size * sizeof *logits);
        out->result[at] = has_frame(row, f) ? (int64_t)argmax(logits, size) : -1;
    }
}

/* Patches [g, g + n) of those of all rows. */
static void run_piece(ecdc_autoencoder *a, size_t g, size_t n, float *bottleneck, const struct output *out) {
    const struct autoencoder_weights *w = &a->weights;
    size_t row_codes = w->n_codebooks * w->n_frames, n_frames = n * w->patch;
    for (size_t i = 0; i < n_frames; i++) {
        size_t patch = g + i / w->patch, frame = patch % w->n_patches * w->patch + i % w->patch;
        look_up(w, out->codes + patch / w->n_patches * row_codes, frame, a->frames + i * w->embedding);
    }
    linear(a, &w->encoder[0], a->frames, a->hidden, n, true);
    linear(a, &w->encoder[1], a->hidden, a->codes, n, false);
    if (bottleneck)
        memcpy(bottleneck + g * w->code, a->codes, n * w->code * sizeof *a->codes);
    linear(a, &w->decoder[0], a->codes, a->hidden, n, true);
    linear(a, &w->decoder[1], a->hidden, a->decoded, n, true);
    for (size_t first = 0; first < n_frames; first += HEAD_ROWS)
        for (size_t q = w->n_codebooks; q-- > 0;) /* the first codebook, which tells where frames are, last: result may be codes */
            run_head(a, q, g * w->patch, first, n_frames - first < HEAD_ROWS ? n_frames - first : HEAD_ROWS, out);
}

ecdc_status ecdc_autoencoder_run(ecdc_autoencoder *a, const int64_t *codes, size_t n_trs, int64_t *result, float *bottleneck,
                                 float *logits, ecdc_error *err) {
    ecdc_status status = check_rows(&a->weights, codes, n_trs, err);
    if (status != ECDC_OK)
        return status;
    struct output out = {codes, result, logits};
    size_t n_patches = n_trs * a->weights.n_patches;
    for (size_t g = 0; g < n_patches; g += PIECE)
        run_piece(a, g, n_patches - g < PIECE ? n_patches - g : PIECE, bottleneck, &out);
    return ECDC_OK;
}
