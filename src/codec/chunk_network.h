/* A chunk's way through a network, layer by layer.
 *
 * A group norm needs the mean and the variance of all that a convolution yields for the chunk, so a layer is complete before
 * the next one starts. What a layer leaves behind is a plane: the convolution's rows as they are, and the norm's two numbers
 * per channel. Whoever reads the plane applies norm and ELU to a piece of rows that fits in the cache, reflects rows at both
 * ends on the way, and multiplies; nothing is written twice. */
#ifndef ECDC_CODEC_CHUNK_NETWORK_H
#define ECDC_CODEC_CHUNK_NETWORK_H

#include "codec/stage.h"

/* Three for what a residual block yields, two for what it reads. */
enum { CHUNK_PLANES = 5 };

struct plane {
    const float *rows; /* n x width */
    size_t n, width;
    struct affine norm; /* still to be applied */
};

struct chunk_network {
    const struct network *net;
    size_t max_rows;                             /* the longest input */
    struct {
        float *rows, *scale, *shift;
    } space[CHUNK_PLANES];                       /* where planes lie, taken in turn */
    int next_space;
    float *piece;                                /* the rows that a product reads */
    struct stage lstm;                           /* both parts of the codec have one LSTM */
    struct rows lstm_out;
    struct plane signal[2];                      /* between two layers: a sum of n_planes */
    int n_planes;
};

/* Room for inputs of up to max_rows rows: everything is allocated here. ECDC_E_MEMORY, or ECDC_E_UNSUPPORTED where a layer of
 * so many rows is too large to be held; chunk_network_free is needed in every case. */
ecdc_status chunk_network_init(struct chunk_network *c, const struct network *net, size_t max_rows, ecdc_error *err);
void chunk_network_free(struct chunk_network *c);

/* Where the n input rows go, 1 ... max_rows; to be written before the first layer runs. */
float *chunk_network_input(struct chunk_network *c, size_t n);
/* The layers in order, each on what the one before left. */
ecdc_status chunk_network_run(struct chunk_network *c, const struct engine *engine, ecdc_error *err);
ecdc_status chunk_network_layer(struct chunk_network *c, const struct engine *engine, size_t layer, ecdc_error *err);
/* Rows that the last layer left, and the rows themselves, norm applied. */
size_t chunk_network_rows(const struct chunk_network *c);
void chunk_network_output(const struct chunk_network *c, const struct kernels *kernels, float *out);

#endif
