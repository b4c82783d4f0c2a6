#include "features/latent.h"

#include <string.h>

#include "codec/quantizer.h"
#include "features/row_shape.h"

ecdc_status latent_codebooks(const ecdc_model *model, int n_codebooks, const struct network **codebooks, ecdc_error *err) {
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    if (n_codebooks < 1 || n_codebooks > info.n_codebooks)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_codebooks is %d, %s has 1 to %d", n_codebooks, info.name, info.n_codebooks);
    return network_get(model, NETWORK_CODEBOOK_ROWS, kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_F32), n_codebooks, codebooks, err);
}

/* Adds the vector of frame t of a row to sum[i * stride]. */
static void add_vector(const struct network *codebooks, const ecdc_row_shape *shape, const int64_t *row, size_t t,
                       float *sum, size_t stride) {
    for (size_t q = 0; q < (size_t)shape->n_codebooks; q++) {
        size_t code = (size_t)row[q * (size_t)shape->grid.frames_per_tr + t];
        const float *entry = codebooks->rows + (q * codebooks->entries + code) * codebooks->dimension;
        for (size_t i = 0; i < codebooks->dimension; i++)
            sum[i * stride] += entry[i];
    }
}

void latent_mean(const struct network *codebooks, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames,
                 float *latent) {
    memset(latent, 0, codebooks->dimension * sizeof *latent);
    for (size_t t = 0; t < (size_t)n_frames; t++)
        add_vector(codebooks, shape, row, t, latent, 1);
    for (size_t i = 0; n_frames > 0 && i < codebooks->dimension; i++)
        latent[i] /= (float)n_frames;
}

void latent_frames(const struct network *codebooks, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames,
                   float *latents) {
    size_t width = (size_t)shape->grid.frames_per_tr;
    memset(latents, 0, codebooks->dimension * width * sizeof *latents);
    for (size_t t = 0; t < (size_t)n_frames; t++)
        add_vector(codebooks, shape, row, t, latents + t, width);
}

ecdc_status ecdc_dequantize(const ecdc_model *model, int n_codebooks, const int32_t *codes, size_t n_frames, float *vectors,
                            ecdc_error *err) {
    const struct network *codebooks;
    ecdc_status status = latent_codebooks(model, n_codebooks, &codebooks, err);
    if (status != ECDC_OK)
        return status;
    for (size_t i = 0; i < n_frames * (size_t)n_codebooks; i++)
        if (codes[i] < 0 || (size_t)codes[i] >= codebooks->entries)
            return ecdc_fail(err, ECDC_E_ARGUMENT, "code %d at frame %zu, codebook %zu is outside 0 to %zu", (int)codes[i],
                             i / (size_t)n_codebooks, i % (size_t)n_codebooks, codebooks->entries - 1);
    quantizer_decode(codebooks, (size_t)n_codebooks, codes, n_frames, vectors);
    return ECDC_OK;
}

ecdc_status ecdc_row_latent(const ecdc_model *model, const ecdc_row_shape *shape, const int64_t *row, int64_t n_frames,
                            int per_frame, float *latent, ecdc_error *err) {
    const struct network *codebooks;
    ecdc_status status = row_shape_check(shape, err);
    if (status == ECDC_OK)
        status = latent_codebooks(model, shape->n_codebooks, &codebooks, err);
    if (status != ECDC_OK)
        return status;
    int64_t width = shape->grid.frames_per_tr;
    if (n_frames < 0 || n_frames > width)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_frames is %lld, a row has 0 to %lld", (long long)n_frames, (long long)width);
    for (int64_t q = 0; q < shape->n_codebooks; q++)
        for (int64_t t = 0; t < n_frames; t++) {
            int64_t code = row[q * width + t];
            if (code < 0 || code >= (int64_t)codebooks->entries)
                return ecdc_fail(err, ECDC_E_ARGUMENT, "code %lld at frame %lld, codebook %lld is outside 0 to %zu", (long long)code,
                                 (long long)t, (long long)q, codebooks->entries - 1);
        }
    (per_frame ? latent_frames : latent_mean)(codebooks, shape, row, n_frames, latent);
    return ECDC_OK;
}
