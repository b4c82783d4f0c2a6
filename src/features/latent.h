/* The vectors behind rows of codes. */
#ifndef ECDC_FEATURES_LATENT_H
#define ECDC_FEATURES_LATENT_H

#include "ecdc.h"

struct network;

/* From a row of a row maker, of which n_frames are real: their mean (dimension), zeros where there are none. */
void latent_mean(const struct network *codebooks, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames,
                 float *latent);
/* All of them: (dimension, frames_per_tr), zeros behind the last. */
void latent_frames(const struct network *codebooks, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames,
                   float *latents);

/* The codebooks of a model, as latent_mean wants them; they live as long as it. ECDC_E_MODEL, ECDC_E_MEMORY. */
ecdc_status latent_codebooks(const ecdc_model *model, int n_codebooks, const struct network **codebooks, ecdc_error *err);

#endif
