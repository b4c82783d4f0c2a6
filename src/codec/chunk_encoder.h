/* Models with chunks: samples -> chunks that overlap a little -> each on its own a scale and codes. */
#ifndef ECDC_CODEC_CHUNK_ENCODER_H
#define ECDC_CODEC_CHUNK_ENCODER_H

#include "compute/engine.h"
#include "model/model.h"

/* As many chunks as there are threads are worked on at once, one thread each; a single one by all threads together. */
struct chunk_encoder;

/* @param engine  must live as long as the encoder. ECDC_E_MODEL, ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ecdc_status chunk_encoder_new(const ecdc_model *model, const struct engine *engine, int n_codebooks,
                              struct chunk_encoder **out, ecdc_error *err);
void chunk_encoder_free(struct chunk_encoder *c);
void chunk_encoder_reset(struct chunk_encoder *c);

/* samples[i * channels + channel], i < n. ECDC_E_MEMORY: then it can only be reset or freed. */
ecdc_status chunk_encoder_push(struct chunk_encoder *c, const float *samples, size_t n, ecdc_error *err);
ecdc_status chunk_encoder_finish(struct chunk_encoder *c, ecdc_error *err);
size_t chunk_encoder_ready(const struct chunk_encoder *c); /* chunks */
/* codes[frame * n_codebooks + codebook], room for a whole chunk; false when none is ready. */
bool chunk_encoder_pull(struct chunk_encoder *c, int32_t *codes, size_t *n_frames, float *scale);

#endif
