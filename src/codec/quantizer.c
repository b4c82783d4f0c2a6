#include "codec/quantizer.h"

#include <string.h>

size_t quantizer_scratch(const struct network *codebooks) {
    return QUANTIZER_FRAMES * codebooks->entries;
}

static const float *entry(const struct network *codebooks, size_t q, size_t code) {
    return codebooks->rows + (q * codebooks->entries + code) * codebooks->dimension;
}

static void encode_piece(const struct network *codebooks, const struct engine *engine, size_t n_codebooks,
                         float *vectors, size_t n_frames, float *scratch, int32_t *codes) {
    const size_t dimension = codebooks->dimension, entries = codebooks->entries;
    for (size_t q = 0; q < n_codebooks; q++) {
        struct product p = {.m = &codebooks->search[q],
                            .in[0] = {vectors, (ptrdiff_t)dimension, 1, 0, dimension},
                            .y = scratch,
                            .ld_y = (ptrdiff_t)entries};
        engine_product(engine, &p, n_frames);
        for (size_t t = 0; t < n_frames; t++) {
            size_t code = engine->kernels->argmin(scratch + t * entries, entries);
            const float *nearest = entry(codebooks, q, code);
            codes[t * n_codebooks + q] = (int32_t)code;
            for (size_t i = 0; i < dimension; i++)
                vectors[t * dimension + i] -= nearest[i];
        }
    }
}

void quantizer_encode(const struct network *codebooks, const struct engine *engine, size_t n_codebooks,
                      float *vectors, size_t n_frames, float *scratch, int32_t *codes) {
    for (size_t t = 0; t < n_frames; t += QUANTIZER_FRAMES) {
        size_t n = n_frames - t < QUANTIZER_FRAMES ? n_frames - t : QUANTIZER_FRAMES;
        encode_piece(codebooks, engine, n_codebooks, vectors + t * codebooks->dimension, n, scratch,
                     codes + t * n_codebooks);
    }
}

void quantizer_decode(const struct network *codebooks, size_t n_codebooks, const int32_t *codes, size_t n_frames,
                      float *vectors) {
    const size_t dimension = codebooks->dimension;
    memset(vectors, 0, n_frames * dimension * sizeof *vectors);
    for (size_t t = 0; t < n_frames; t++)
        for (size_t q = 0; q < n_codebooks; q++) {
            const float *e = entry(codebooks, q, (size_t)codes[t * n_codebooks + q]);
            for (size_t i = 0; i < dimension; i++)
                vectors[t * dimension + i] += e[i];
        }
}
