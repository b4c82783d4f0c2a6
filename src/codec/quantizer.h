/* The residual vector quantizer: a vector is the sum of one entry from each codebook (Zeghidour et al. 2021). */
#ifndef ECDC_CODEC_QUANTIZER_H
#define ECDC_CODEC_QUANTIZER_H

#include "compute/engine.h"
#include "model/network.h"

/* Frames that quantizer_encode works on at once, and the floats of scratch that it needs. */
enum { QUANTIZER_FRAMES = 48 };
size_t quantizer_scratch(const struct network *codebooks);

/* codes[frame * n_codebooks + q]: the entry nearest to what the codebooks before q have left over. Squared Euclidean
 * distance; of equal ones the lowest index. The vectors (frames x dimension) are overwritten by the last residual. */
void quantizer_encode(const struct network *codebooks, const struct engine *engine, size_t n_codebooks,
                      float *vectors, size_t n_frames, float *scratch, int32_t *codes);

/* vectors[frame * dimension + i]: the sum of the entries, in the order of the codebooks. Codes must be in range. */
void quantizer_decode(const struct network *codebooks, size_t n_codebooks, const int32_t *codes, size_t n_frames,
                      float *vectors);

#endif
