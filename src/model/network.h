/* One part of a model with its weights packed for one table of kernels: what the codec computes with. */
#ifndef ECDC_MODEL_NETWORK_H
#define ECDC_MODEL_NETWORK_H

#include "compute/kernels.h"
#include "model/model.h"

struct network_lstm_layer {
    struct matrix input; /* x -> gates in group order, both biases added */
    struct recurrence recurrent;
};

/* A group norm over all channels and all time steps of what a convolution yields; one number per channel. */
struct network_norm {
    float *weight, *bias; /* NULL: there is no norm */
};

/* A layer as it is computed. Rows are time steps, `in` and `out` the channels of one. */
struct network_layer {
    enum layer_kind kind;
    bool elu_before;          /* reads the ELU of its input */
    size_t in, out;
    size_t kernel, stride, dilation;
    size_t left;              /* of the rows that a step reads, how many lie before the one it stands for: the reflected rows
                                 before the first. LAYER_CONV_TRANSPOSE: output rows to be cut off in front */
    struct matrix conv;       /* LAYER_CONV: kernel * in -> out.
                                 LAYER_CONV_TRANSPOSE (kernel = 2 stride): two rows of input -> stride rows of output */
    struct matrix narrow, widen; /* LAYER_RESIDUAL; widen's rows: the narrow channels, then (conv shortcut) the input's */
    struct matrix shortcut;      /* in a network for chunks, where a norm may stand behind each convolution: on its own */
    bool identity_shortcut;
    size_t narrow_out;
    struct network_norm norm, narrow_norm, widen_norm, shortcut_norm; /* behind the matrices of these names */
    struct network_lstm_layer *lstm; /* LAYER_LSTM */
    size_t n_lstm;
};

enum network_part { NETWORK_ENCODER, NETWORK_DECODER, NETWORK_CODEBOOK_SEARCH, NETWORK_CODEBOOK_ROWS };

/* Immutable once made. */
struct network {
    struct network *next;
    enum network_part part;
    const struct kernels *kernels;

    size_t n_layers; /* encoder, decoder */
    struct network_layer *layers;

    size_t n_codebooks, entries, dimension; /* codebooks */
    float *rows;           /* [codebook][entry][dimension] */
    struct matrix *search; /* per codebook: dimension -> entries, |e|^2/2 - x.e; only in NETWORK_CODEBOOK_SEARCH */

    void **blocks; /* every allocation above, for network_list_free */
    size_t n_blocks;
    float *slab; /* what is left of the last block of weights, in floats */
    size_t slab_left;
};

/* The packed part, made now if it is not there yet; it lives as long as the model. Thread-safe. For codebooks at least
 * n_codebooks of them; else n_codebooks is not looked at. ECDC_E_MODEL, ECDC_E_MEMORY. */
ecdc_status network_get(const ecdc_model *model, enum network_part part, const struct kernels *kernels, int n_codebooks,
                        const struct network **out, ecdc_error *err);
void network_list_free(struct network *list);

#endif
