/* The weights of a code autoencoder, checked and packed for the kernels. */
#ifndef ECDC_AUTOENCODER_WEIGHTS_H
#define ECDC_AUTOENCODER_WEIGHTS_H

#include "compute/kernels.h"

struct autoencoder_weights {
    size_t n_codebooks, codebook_size, embedding; /* of a frame: numbers after the lookup */
    size_t n_frames, patch, n_patches;            /* of a TR, of a patch, of a TR */
    size_t encoder_hidden, code, decoder_hidden, frame; /* numbers per patch between the layers; per frame before the heads */
    uint64_t n_parameters;
    float *table;            /* [codebook][entry][embedding] */
    struct matrix encoder[2], decoder[2];
    struct matrix *heads;    /* per codebook */
    char *model, *model_sha256; /* "" where the file is silent */
};

/* Reads a safetensors file. On failure *w is empty. ECDC_E_FORMAT, ECDC_E_MODEL, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status autoencoder_weights_read(struct autoencoder_weights *w, const char *path, const struct kernels *kernels,
                                     ecdc_error *err);
void autoencoder_weights_free(struct autoencoder_weights *w);

#endif
