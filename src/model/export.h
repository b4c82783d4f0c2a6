/* A model as one weight file that another program loads: transformers the safetensors, facebookresearch/encodec the .th. */
#ifndef ECDC_MODEL_EXPORT_H
#define ECDC_MODEL_EXPORT_H

#include "model/model.h"

enum export_format { EXPORT_SAFETENSORS, EXPORT_TORCH };

struct export_image {
    const void *bytes;
    size_t n_bytes;
    void *owned; /* free() it; NULL where the bytes are the model's */
};

/* Models with weight norm are written with it, as both programs expect them: a weight whose norm is folded becomes v = w,
 * g = |w|. A .th also gets the codebooks' statistics (inited, cluster_size, embed_avg), which encodec insists on, from the
 * model or else such that they fit. A safetensors file that needs no change is given as it is, byte for byte.
 * @param dtype  DTYPE_F32 or DTYPE_F16 for the weights, DTYPE_UNKNOWN: as the model has them.
 * ECDC_E_MODEL (a number that is not finite, or too large for float16), ECDC_E_ARGUMENT, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status export_model(const ecdc_model *model, enum export_format format, enum dtype dtype, struct export_image *image,
                         ecdc_error *err);

#endif
