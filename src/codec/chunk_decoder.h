/* Models with chunks: each chunk's codes -> sound -> overlap-add. */
#ifndef ECDC_CODEC_CHUNK_DECODER_H
#define ECDC_CODEC_CHUNK_DECODER_H

#include "compute/engine.h"
#include "model/model.h"

/* Threads as in chunk_encoder.h. */
struct chunk_decoder;

ecdc_status chunk_decoder_new(const ecdc_model *model, const struct engine *engine, int n_codebooks,
                              struct chunk_decoder **out, ecdc_error *err);
void chunk_decoder_free(struct chunk_decoder *c);
void chunk_decoder_reset(struct chunk_decoder *c);

/* Whether such a chunk may be the next one: ECDC_E_ARGUMENT. */
ecdc_status chunk_decoder_check(const struct chunk_decoder *c, size_t n_frames, float scale, ecdc_error *err);
/* Takes a chunk that was checked, codes in range. ECDC_E_MEMORY: then it can only be reset or freed. */
ecdc_status chunk_decoder_push(struct chunk_decoder *c, const int32_t *codes, size_t n_frames, float scale, ecdc_error *err);
ecdc_status chunk_decoder_finish(struct chunk_decoder *c, ecdc_error *err);
size_t chunk_decoder_ready(const struct chunk_decoder *c); /* samples per channel */
size_t chunk_decoder_pull(struct chunk_decoder *c, float *samples, size_t max_samples);

#endif
